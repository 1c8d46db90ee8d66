/** Bugs to plant: each a small change of the sources that must break an invariant. */

import type { Mutant } from "./mutant.ts";
import { mutant } from "./mutant.ts";
import { POLICY_MUTANTS } from "./policy_mutants.ts";
import { RECORD_MUTANTS } from "./record_mutants.ts";

const SCRIPTS = "test/sim/redis_scripts.ts";

/** A reply to `steps`, with ids that no history looks cut by. */
const ALL_COMMITTED = `{
  kind: "done",
  serverMs: steps[0]!.notBeforeMs,
  outcomes: steps.map(() => ({ kind: "committed" })),
  lastId: { before: "9999999999999999-0", after: "0-0" },
}`;

export const MUTANTS: readonly Mutant[] = [
  mutant(
    "no fence check",
    SCRIPTS,
    `if (call("GET", keys[0]!) !== fence) return`,
    `if (call("GET", keys[0]!) === null) return`,
  ),
  mutant(
    "renewal without owner check",
    SCRIPTS,
    "if (held !== `${owner} ${known}`) return [1];",
    "",
  ),
  mutant(
    "task id of the moment",
    "src/core/chain.ts",
    "celeryTaskId(namespace, openId)",
    "celeryTaskId(namespace, `${openId} ${nowMs}`)",
  ),
  mutant(
    "task id of the term",
    "src/core/chain.ts",
    "celeryTaskId(namespace, openId)",
    "celeryTaskId(namespace, `${openId} ${fence}`)",
  ),
  {
    name: "cursor before the message, and an error in between",
    patches: [
      {
        file: SCRIPTS,
        find: `for (const [list, messages] of plan.pushes) call("LPUSH"`,
        replace: `for (const name of plan.moved) {
    if (cursors[name] !== "") call("HSET", keys[2]!, names[name]!, cursors[name]!);
  }
  for (const [list, messages] of plan.pushes) call("LPUSH"`,
      },
      {
        file: SCRIPTS,
        find: `&& !isList[list - 1]) answer = "w";
    else {
      cursors[name]`,
        replace: `&& !isList[list - 1] && now < 0) answer = "w";
    else {
      cursors[name]`,
      },
    ],
  },
  mutant(
    "message before the checks",
    SCRIPTS,
    "plan.answers.push(answer);",
    `if (answer !== "c" && list > 0 && isList[list - 1]) {
      const message = argv.slice(at).find((text) => text.startsWith('{"body"'))!;
      call("LPUSH", keys[3 + list]!, message);
    }
    plan.answers.push(answer);`,
  ),
  mutant(
    "early is not refused",
    SCRIPTS,
    "else if (now < Number(",
    "else if (now + 1e15 < Number(",
  ),
  mutant(
    "settles what has changed",
    SCRIPTS,
    `if (texts.get(key) !== argv[at]) answer = "d";`,
    `if (texts.get(key) === null && texts.size > 1e9) answer = "d";`,
  ),
  mutant(
    "fence not lifted above what was seen",
    SCRIPTS,
    "String(Math.max(current, known, now - 1) + 1)",
    "String(current + 1)",
  ),
  mutant(
    "a fence of a lost history is given again",
    SCRIPTS,
    "String(Math.max(current, known, now - 1) + 1)",
    "String(Math.max(current, known) + 1)",
  ),
  mutant(
    "a skip is a loss",
    "src/policies/catchup.ts",
    "return { dropped: range(trigger, cursorMs, firstMs, beforeMs, reason), fires: [lastMs] };",
    "return { dropped: null, fires: [beforeMs > 0 ? lastMs : firstMs] };",
  ),
  mutant(
    "catch-up of one too many",
    "src/policies/catchup.ts",
    "if (inWindow > cap) {",
    "if (inWindow > cap + 1) {",
  ),
  mutant(
    "catch-up without a cap",
    "src/policies/catchup.ts",
    "if (inWindow > cap) {",
    "if (cap < 0) {",
  ),
  mutant(
    "catch-up without a window",
    "src/policies/catchup.ts",
    "if (lastMs < openMs) {",
    "if (openMs < 0) {",
  ),
  mutant(
    "miscounts what it drops",
    "src/policies/catchup.ts",
    "count: trigger.count(cursorMs, toMs)",
    "count: trigger.count(fromMs, toMs)",
  ),
  mutant(
    "an expired message counts as acked",
    "src/follow/verdict.ts",
    "if (end.isExpired && !isAcked) {",
    "if (end.isExpired && isAcked) {",
  ),
  mutant(
    "expired before its end",
    "src/follow/verdict.ts",
    "nowMs > expiresMs + EXPIRY_MARGIN_MS",
    "nowMs > expiresMs - 3_000",
  ),
  mutant(
    "acked after one look",
    "src/follow/verdict.ts",
    "if (goneMs === null || nowMs - goneMs < GONE_AFTER_MS) return null;",
    "if (goneMs === null) return null;",
  ),
  mutant(
    "due by the local clock",
    "src/clock.ts",
    "Math.floor(best === null ? clock.wallMs() : clock.monotonicMs() + best.offsetMs)",
    "Math.floor(clock.wallMs())",
  ),
  mutant(
    "scripts are not sent anew",
    "src/redis/script.ts",
    `if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;`,
    "if (error !== null) throw error;",
  ),
  mutant(
    "the second pass fires again",
    "src/triggers/zoned.ts",
    "while (stretch.fromMs > instantMs - SHIFT_MAX_MS) {",
    "while (stretch.fromMs > instantMs) {",
  ),
  mutant(
    "a day has 86,400 seconds",
    "src/triggers/zoned.ts",
    "return reading > HORIZON_MS ? null : firstReach(zone, reading);",
    "return reading > HORIZON_MS ? null : reading - zone.at(clamp(afterMs)).offsetMs;",
  ),
  mutant(
    "only what was heard of is looked at",
    "src/follow/follow.ts",
    "const picked = pickMoved(watch, hinted, { views, nowMs, limit: LOOKS_MAX });",
    "const picked = nowMs > 0 ? hinted : pickMoved(watch, hinted, { views, nowMs, limit: LOOKS_MAX });",
  ),
  mutant(
    "a failed try for the lease is the last",
    "src/lead/lease.ts",
    "waitMs = backOffMs(failures++);",
    "waitMs = Infinity * ++failures;\n      return await new Promise(() => {});",
  ),
  mutant(
    "an edited task keeps its old revision",
    "src/core/reconcile.ts",
    "if (cursor?.revision === ready.revision) continue;",
    "if (cursor !== undefined) continue;",
  ),
  mutant(
    "an edited rhythm fires the past",
    "src/core/reconcile.ts",
    "const dueMs = Math.max(startMs, cursor.dueMs);",
    "const dueMs = startMs - 600_000;",
  ),
  mutant(
    "a task that comes back begins where the clock was set back to",
    "src/core/reconcile.ts",
    "const startMs = isNear ? Math.max(nowMs, world.recordedMs) : nowMs;",
    "const startMs = isNear ? nowMs : nowMs;",
  ),
  mutant(
    "a cursor that is elsewhere is not read again",
    "src/core/commit.ts",
    "if (lost.length > 0) await reread(lost, tally);",
    "if (lost.length > 9_999) await reread(lost, tally);",
  ),
  mutant(
    "what was staged, and what Redis then refused, counts as carried out",
    "src/redis/stage.ts",
    "if (!(reply instanceof Error)) return committedOf(reply);",
    `if (reply instanceof Error) return ${ALL_COMMITTED};
            return committedOf(reply);`,
  ),
  mutant(
    "what was staged on a connection that is lost counts as carried out",
    "src/redis/stage.ts",
    "if (replies === null) return await journal.commit(steps, fence);",
    `if (replies === null) return ${ALL_COMMITTED};`,
  ),
  mutant(
    "a term that begins fenced is followed at once",
    "machines/supervisor.ts",
    `{ guard: "isFenced", target: "#supervisor.standby", actions: "noteFailure" },`,
    `{ guard: "isFenced", target: "#supervisor.standby", actions: "forgetFailures" },`,
  ),
  mutant(
    "a fenced leader ends",
    "machines/supervisor.ts",
    `FENCED: { target: "#supervisor.standby", actions: "forgetFailures" },`,
    `FENCED: { target: "#supervisor.stopped", actions: "forgetFailures" },`,
  ),
  mutant(
    "a lost lease ends the process",
    "machines/supervisor.ts",
    `LEASE_LOST: { target: "#supervisor.standby", actions: "forgetFailures" },`,
    `LEASE_LOST: { target: "#supervisor.stopped", actions: "forgetFailures" },`,
  ),
  mutant(
    "a leader looks for lost rows with the next commit only",
    "src/commands/supervise.ts",
    "            watchJournal({ ...parts, history }, signal, onFenced),\n",
    "",
  ),
  ...POLICY_MUTANTS,
  ...RECORD_MUTANTS,
];
