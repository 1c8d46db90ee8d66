/** Bugs to plant in what messages carry, and in what rows say beside the step that they stand for. */

import type { Mutant } from "./mutant.ts";
import { mutant } from "./mutant.ts";

const MESSAGE = "src/celery/message.ts";
const VERDICT = "src/follow/verdict.ts";

export const RECORD_MUTANTS: readonly Mutant[] = [
  mutant(
    "a message's end counts from the due time",
    MESSAGE,
    "timeText(publishedMs + expiresMs)",
    "timeText(dueMs + expiresMs)",
  ),
  {
    name: "an edited task goes on with the arguments of before",
    patches: [
      {
        file: MESSAGE,
        find: "  const template = templateOf(task, origin);",
        replace: `  const key = JSON.stringify({ ...task, args: null });
  const template = known.get(key) ?? templateOf(task, origin);
  known.set(key, template);`,
      },
      {
        file: MESSAGE,
        find: "/** Long before year 10000",
        replace:
          'const known = new Map<string, Pick<MessageTemplate, "render">>();\n\n/** Long before year 10000',
      },
    ],
  },
  mutant(
    "a delivery tag is the same in each term",
    "src/celery/ids.ts",
    "`${taskId}.${fence}`",
    "`${taskId}.1`",
  ),
  mutant(
    "an edit that keeps the rhythm skips what came due meanwhile",
    "src/core/reconcile.ts",
    "? { dueMs }\n",
    "? { dueMs: Math.max(dueMs, startMs) }\n",
  ),
  mutant(
    "what is held has a row each time it is asked about",
    "src/core/decide.ts",
    "if (!isSame) hold(",
    "if (chain.nowMs > 0) hold(",
  ),
  mutant(
    "due times are dropped for another reason",
    "src/policies/catchup.ts",
    "? LATE : TOO_OLD",
    "? TOO_OLD : LATE",
  ),
  mutant(
    "a finish is awaited for seconds",
    VERDICT,
    "notes.ackedMs + FINISH_WITHIN_MS",
    "notes.ackedMs + 20_000",
  ),
  mutant(
    "an end that was recorded is noticed a look later",
    "src/follow/watch.ts",
    "        return close(tracked);\n",
    `        if (tracked.open.state !== "acked") return close(tracked);
        return fires.lookAt(tracked, nowMs + 30_000);\n`,
  ),
  mutant(
    "a resume is answered, and resumes nothing",
    "src/asked/orders.ts",
    "return done(step, request.task === null ? stillPaused(counter) : null);",
    "return done(step === null ? step : null);",
  ),
  mutant(
    "a leader that stops keeps its lease",
    "src/lead/office.ts",
    "    await parts.lease.release(parts.owner);\n",
    "",
  ),
  mutant(
    "what expired in its list is left there",
    VERDICT,
    "return { ...close(open, ttl), remove };",
    "return close(open, ttl);",
  ),
  mutant(
    "an end is dated when its fire was published",
    VERDICT,
    "dueMs: open.dueMs, decidedMs, detail } as Row;",
    "dueMs: open.dueMs, decidedMs: open.publishedMs, detail } as Row;",
  ),
  mutant(
    "a machine that slept takes its workers for silent",
    "src/follow/workers.ts",
    "Math.min(Math.max(serverMs - lastMs, 0), LISTENED_MAX_MS)",
    "Math.max(serverMs - lastMs, 0)",
  ),
  mutant(
    "who is refused the lease tries on at once",
    "src/lead/lease.ts",
    "waitMs = backOffMs(failures++);",
    "waitMs = 0 * failures++;",
  ),
  mutant(
    "rows that were lost are not told of",
    "src/lead/term.ts",
    "const cuts = history.cuts.filter(({ toId }) => millisecondsOf(toId) >= toldUnder);",
    "const cuts = isEmpty ? history.cuts : [];",
  ),
  mutant(
    "whoever knew a history that is gone tells of it",
    "src/lead/term.ts",
    "if (toldUnder !== null) {",
    "if (lostAfter === null) {",
  ),
  {
    name: "a loss is part of one that was told of",
    patches: [
      {
        file: "src/lead/history.ts",
        find: "compareIds(toId, fromId) <= 0",
        replace: "compareIds(toId, fromId) === 0",
      },
      {
        file: "src/lead/standby.ts",
        find: "for (const watch of [watchJournal, watchTold, watchSchedule])",
        replace: "for (const watch of [watchJournal, watchSchedule])",
      },
    ],
  },
  mutant(
    "a receipt that is told late is another delivery",
    "src/follow/evidence.ts",
    "if (notes.isReceiptImplied) notes.isReceiptImplied = false;",
    "if (notes.receipts < 0) notes.isReceiptImplied = false;",
  ),
  mutant(
    "a second delivery has the time of the first one, too",
    VERDICT,
    "const takeByMs = nowMs + open.takeWithinMs;",
    "const takeByMs = nowMs + (open.takeByMs - open.publishedMs);",
  ),
  mutant(
    "a sample of a server that was the master is believed",
    "src/redis/sensors.ts",
    "if (least !== null && !(Number(",
    "if (least?.fence === 0 && !(Number(",
  ),
];
