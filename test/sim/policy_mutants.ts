/** Bugs to plant in what policies hold, skip and let pass. */

import type { Mutant } from "./mutant.ts";
import { mutant } from "./mutant.ts";

const DECIDE = "src/core/decide.ts";
const RECONCILE = "src/core/reconcile.ts";
const THROTTLE = "src/policies/throttle.ts";

export const POLICY_MUTANTS: readonly Mutant[] = [
  {
    name: "a held fire goes out as soon as it is looked at",
    patches: [
      {
        file: DECIDE,
        find: "  return judge(desk, dueMs, pending);",
        replace: "  publish(chain, dueMs, chain.nowMs);\n  return true;",
      },
      {
        file: DECIDE,
        find:
          "if ((askAgainMs(world, task.name) ?? pending.notBeforeMs) > chain.nowMs) return false;",
        replace: "if (pending.notBeforeMs > chain.nowMs + 700) return false;",
      },
    ],
  },
  mutant(
    "a held fire is guarded by its due time alone",
    "src/core/chain.ts",
    "const notBeforeMs = held === null ? dueMs : Math.max(dueMs, held);",
    "const notBeforeMs = dueMs;",
  ),
  mutant(
    "a held fire is forgotten when its task is edited",
    RECONCILE,
    "const kept = pending === undefined",
    "const kept = pending === undefined || true",
  ),
  mutant(
    "a held fire is forgotten when its task is retired or changes its rhythm",
    RECONCILE,
    "if (cursor.pending === undefined) return expect;",
    'if (cursor.pending === undefined || why !== "") return expect;',
  ),
  mutant(
    "a new leader forgets what is held",
    "src/core/world.ts",
    "return { cursors: new Map(cursors), open,",
    "for (const each of cursors.values()) delete (each as { pending?: unknown }).pending;\n" +
      "  return { cursors: new Map(cursors), open,",
  ),
  mutant(
    "a superseded fire is published too",
    DECIDE,
    `skip(chain, dueMs, { by: "catchup", reason: "superseded" });`,
    "publish(chain, dueMs, pending.notBeforeMs);",
  ),
  mutant(
    "a held fire is superseded under all",
    DECIDE,
    `const newerMs = task.catchUp.policy === "all" ? null : trigger.next(dueMs);`,
    "const newerMs = trigger.next(dueMs);",
  ),
  mutant(
    "later due times pass a held one",
    DECIDE,
    "for (const dueMs of gap.fires) if (!judge(desk, dueMs, null)) break;",
    "for (const dueMs of gap.fires) judge(desk, dueMs, null);",
  ),
  mutant(
    "overlap does not see what goes out in the same pass",
    DECIDE,
    "return [...world.open.runningOf(task, dueMs), ...sent];",
    "return [...world.open.runningOf(task, dueMs), ...sent.slice(0, 0)];",
  ),
  mutant(
    "overlap looks at fires in their queue only",
    "src/follow/open_fires.ts",
    "[...allOf(task)].filter(({ open }) => open.dueMs < dueMs)",
    `[...allOf(task)].filter(({ open }) => open.dueMs < dueMs && open.state === "queued")`,
  ),
  mutant(
    "a run of skips is not written before what follows it",
    DECIDE,
    `    case "pass":
      flush(desk);`,
    `    case "pass":
      desk.run = null;`,
  ),
  mutant(
    "a run of skips counts one too few",
    "src/core/skip_run.ts",
    "const detail = { fromMs, toMs, count, by, reason };",
    "const detail = { fromMs, toMs, count: count - 1, by, reason };",
  ),
  mutant(
    "a run of skips that were refused counts",
    DECIDE,
    "  else world.runs.delete(name);\n",
    "",
  ),
  mutant(
    "what was skipped before steps that are not taken is forgotten",
    DECIDE,
    "const standing = chain.steps.length > 0 && before !== null ? [before] : [];",
    "const standing: SkipRun[] = [];",
  ),
  mutant(
    "a run of skips begins one too early",
    DECIDE,
    "fromMs: run.fromMs ?? dueMs, toMs: dueMs,",
    "fromMs: run.fromMs ?? run.toMs, toMs: dueMs,",
  ),
  mutant(
    "what came due in a pause is fired after it",
    "src/core/pauses.ts",
    "pause !== null && (pause.untilMs === null || dueMs <= pause.untilMs);",
    "pause !== null && pause.untilMs === null;",
  ),
  mutant(
    "a pause of all is no pause where the task has one that is over",
    "src/core/pauses.ts",
    "if (keeps(ofTask)) return ofTask;",
    "if (ofTask !== null) return keeps(ofTask) ? ofTask : null;",
  ),
  mutant(
    "a window is asked about the due time",
    "src/policies/window.ts",
    "const { fromMs } = openings.at(nowMs);",
    "const { fromMs } = openings.at(dueMs);",
  ),
  mutant(
    "jitter names another place each time it is asked",
    "src/policies/jitter.ts",
    "const untilMs = baseMs + shiftMs(spec, fire, endMs - baseMs);",
    "const untilMs = baseMs + shiftMs(spec, fire, endMs - baseMs) + (nowMs % 2);",
  ),
  mutant(
    "jitter goes beyond the next due time",
    "src/policies/jitter.ts",
    "fire.trigger.next(baseMs) ?? Infinity,",
    "Infinity,",
  ),
  mutant(
    "a queue under pressure holds nothing back",
    THROTTLE,
    'if (level === "normal" || fire.task.importance === "critical") return PASS;',
    'if (level !== "paused" || fire.task.importance !== "normal") return PASS;',
  ),
  mutant(
    "what a level holds back is held for good",
    THROTTLE,
    "if (nowMs - fromMs >= task.policies.maxHoldMs) {",
    "if (nowMs - fromMs >= 100 * task.policies.maxHoldMs) {",
  ),
  mutant(
    "a slowed queue gets the first of its tasks' fires, and not the last",
    THROTTLE,
    "ordinalOf(fire) % slowTo !== 0",
    "ordinalOf(fire) % slowTo !== 1",
  ),
  mutant(
    "a level changes with each look",
    "src/levels/move.ts",
    "Math.abs(nowMs - sinceMs) >= leastMs",
    "Math.abs(nowMs - sinceMs) >= 0 * leastMs",
  ),
  mutant(
    "the term goes on where the reply to a change of a level is lost",
    "src/lead/level_writer.ts",
    "if (!isRefusal(error)) parts.unsure();",
    "",
  ),
  mutant(
    "a request that is asked again is done again",
    "src/lead/take_up.ts",
    "const known = slotOf(ring, id);",
    "const known = slotOf(ring, `${id}?`);",
  ),
  mutant(
    "a trigger is answered, and fires nothing",
    "src/asked/wanted_run.ts",
    "const problem = settled === 0 ? fireOrProblem(sheet, counter, ready, request) : null;",
    "const problem = settled === 1 ? fireOrProblem(sheet, counter, ready, request) : null;",
  ),
  mutant(
    "a backfill sends what is out still",
    "src/asked/wanted_run.ts",
    "if (isUnderWay(counter, task, fires[at]!)) continue;",
    "",
  ),
  mutant(
    "a backfill goes on a fire too early",
    "src/asked/clerk.ts",
    "publish: publishOf(ready, name, term, nowMs), nowMs, notBeforeMs: dueMs, settled: at + 1 },",
    "publish: publishOf(ready, name, term, nowMs), nowMs, notBeforeMs: dueMs, settled: at },",
  ),
  mutant(
    "a backfill ends with its leader",
    "src/lead/heed.ts",
    'if (request?.kind === "trigger" || request?.kind === "backfill") {',
    'if (request?.kind === "trigger") {',
  ),
  mutant(
    "what was decided long ago goes out",
    "src/core/chain.ts",
    "const FRESH_MS = 10_000;",
    "const FRESH_MS = 1e13;",
  ),
  mutant(
    "what is prepared is waited for, however far the clock is set back",
    "src/core/tick.ts",
    "return 0 < earlyMs && earlyMs <= PREPARE_MS && !signal.aborted;",
    "return 0 < earlyMs && !signal.aborted;",
  ),
  mutant(
    "a backfill may not know what another one sent",
    "src/lead/take_up.ts",
    "own.some(({ backfill }) => compareIds(readId, backfill?.endedId ?? NO_ID) < 0)",
    "false",
  ),
  mutant(
    "a backfill that was refused on its way is asked anew",
    "src/asked/ring.ts",
    'const hasBegun = slot.state !== "refused" || slot.published > 0;',
    'const hasBegun = slot.state !== "refused";',
  ),
  mutant(
    "requests of the last second only are looked for",
    "src/lead/heed.ts",
    "await requests.after(ringOf(now.world.cursors).lastId, ENTRIES_MAX);",
    "(await requests.after(ringOf(now.world.cursors).lastId, ENTRIES_MAX))\n" +
      "        .filter(({ id }) => Number(id.split('-')[0]) > parts.server.nowMs() - 1_000);",
  ),
  mutant(
    "the term goes on where the reply to an order is lost",
    "src/lead/take_up.ts",
    "if (!isRefusal(error) && ordered.step !== null) parts.unsure();",
    "",
  ),
];
