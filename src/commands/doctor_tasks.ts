/** What `beat doctor` says of each task: whether it is on, decided in time, taken in time. Pure. */

import type { TaskRecent } from "../audit/recent.ts";
import { quantile } from "../audit/recent.ts";
import { SKIP_RUN_MS } from "../core/skip_run.ts";
import type { OpenFire } from "../open_fire.ts";
import type { Task } from "../task.ts";
import type { Check } from "./doctor_server.ts";
import { failure, fine, warning } from "./doctor_server.ts";
import type { TaskView } from "./task_views.ts";
import { pauseText } from "./task_views.ts";
import { dueText, spanText } from "./time_text.ts";

export interface TaskFacts {
  readonly view: TaskView;
  /** `null` where the rows that were read are not about it. */
  readonly recent: TaskRecent | null;
  /** Its open fires. */
  readonly open: readonly OpenFire[];
  /** Of its cursor; `null` for none. Unix milliseconds. */
  readonly cursorMs: number | null;
  /** What is wrong with its queue, and what to do, as far as can be told; `null` where nothing is. */
  readonly queueFault: { readonly text: string; readonly advice: string } | null;
}

export interface TaskContext {
  readonly nowMs: number;
  readonly isLed: boolean;
  readonly visibilityMs: number;
}

/** One line a task: all that is wrong with it, the worst first, or that it is fine. */
export function taskCheck(facts: TaskFacts, context: TaskContext): Check {
  const { view } = facts;
  const subject = `task ${view.name}`;
  if (view.state === "off") return fine(subject, `off by ${view.offBy}`);
  if (view.task === null) {
    return warning(
      subject,
      "a leader runs it, and this configuration does not have it",
      "reload the leader (SIGHUP), or look with the leader's configuration",
    );
  }
  const found = [
    ...paused(facts),
    ...undecided(facts, context),
    ...faulty(facts),
    ...waits(facts, view.task),
    ...stuck(facts, context),
    ...unseen(facts, view.task, context),
    ...runs(facts, context),
    ...ends(facts),
  ].toSorted((one, other) => RANK[one.level] - RANK[other.level]);
  if (found.length === 0) return fine(subject, fineText(facts));
  return {
    level: found[0]!.level,
    subject,
    text: found.map(({ text }) => text).join("; "),
    advice: [...new Set(found.map(({ advice }) => advice))].join("; "),
  };
}

type Found = Omit<Check, "subject">;

const RANK = { failure: 0, warning: 1, fine: 2 } as const;

const fail = (text: string, advice: string): Found => failure("", text, advice);
const warn = (text: string, advice: string): Found => warning("", text, advice);

/** Longer than this, a cursor in the future is no matter of rounding. Milliseconds. */
const AHEAD_MAX_MS = 10_000;

function paused({ view: { pause, name } }: TaskFacts): Found[] {
  if (pause === null) return [];
  return [warn(pauseText(pause), `\`beat resume ${name}\`, or \`--all\`, where that is over`)];
}

function undecided({ view, cursorMs, recent }: TaskFacts, { nowMs, isLed }: TaskContext): Found[] {
  const aheadMs = (cursorMs ?? nowMs) - nowMs;
  if (aheadMs > AHEAD_MAX_MS) {
    const text =
      `decided up to ${dueText(cursorMs!)}, ${spanText(aheadMs)} from now: Redis' clock ` +
      "was set back";
    return [fail(text, "set the clock of the Redis server right; until then it does not fire")];
  }
  if (view.state === "new") {
    return [warn("no leader has taken it up", "start Beat, or reload it (SIGHUP)")];
  }
  // What a policy skips in a row has a row after a while only.
  const isSkipping = isLed && recent?.lastState === "skipped";
  if (view.waiting === 0 || (isSkipping && aheadMs > -SKIP_RUN_MS)) return [];
  const times = view.waiting === 1 ? "1 due time" : `${view.waiting} due times`;
  const advice = isLed ? "the leader is behind: see its log" : "start Beat with `beat run`";
  return [
    fail(`${times} passed and nobody decided about ${view.waiting === 1 ? "it" : "them"}`, advice),
  ];
}

function faulty({ queueFault }: TaskFacts): Found[] {
  return queueFault === null ? [] : [fail(queueFault.text, queueFault.advice)];
}

/** Fewer waits than this say nothing of a share. */
const WAITS_MIN = 5;

/** Once in a while is no reason to worry. */
const NOTABLE_SHARE = 0.01;

function waits({ recent }: TaskFacts, { expiresMs }: Task): Found[] {
  if (recent === null || expiresMs === null) return [];
  const p95 = quantile(recent.waits, 0.95);
  const isNotable = recent.expired > NOTABLE_SHARE * recent.published ||
    recent.lastState === "expired";
  const shares = recent.expired > 0 && isNotable
    ? [`${recent.expired} of the last ${Math.max(recent.published, recent.expired)} expired`]
    : [];
  if (p95 !== null && recent.waits.length >= WAITS_MIN && p95 > expiresMs) {
    shares.push(`they wait ${spanText(p95)} (p95), and expire after ${spanText(expiresMs)}`);
  }
  return shares.length === 0
    ? []
    : [warn(shares.join("; "), "start more workers for its queue, or lengthen `expires`")];
}

function stuck({ open }: TaskFacts, { nowMs, visibilityMs }: TaskContext): Found[] {
  const waiting = open.filter((each) =>
    each.state === "queued" && (each.isOverdue || each.takeByMs < nowMs)
  );
  const held = open.filter((each) =>
    each.state === "taken" && nowMs - each.publishedMs > visibilityMs / 2
  );
  const oldest = (fires: readonly OpenFire[]) => Math.min(...fires.map(({ dueMs }) => dueMs));
  return [
    ...(waiting.length === 0 ? [] : [warn(
      `${countText(waiting.length)} overdue: nobody took it, since ${dueText(oldest(waiting))}`,
      "see its queue",
    )]),
    ...(held.length === 0 ? [] : [warn(
      `${countText(held.length)} taken and not ended since ${
        dueText(oldest(held))
      }, over half of ` +
        `the visibility timeout (${spanText(visibilityMs)})`,
      VISIBILITY_ADVICE,
    )]),
  ];
}

/** Fewer that run at a time are no sign of anything. */
const UNSEEN_MIN = 3;

/** Its workers may store no results, of which nothing on Beat's side tells. */
function unseen(
  { open, recent }: TaskFacts,
  { ignoreResult }: Task,
  { nowMs }: TaskContext,
): Found[] {
  const acked = open.filter(({ state }) => state === "acked");
  if (ignoreResult || acked.length < UNSEEN_MIN || (recent?.ended ?? 0) > 0) return [];
  const sinceMs = Math.min(...acked.map(({ publishedMs }) => publishedMs));
  const text =
    `${acked.length} fires were taken in the last ${spanText(nowMs - sinceMs)}, and no ` +
    "run was seen to end: for a day each counts as running, for `overlap`, too";
  const advice =
    "where its code says `ignore_result`, set `ignore_result: true` for it; or start " +
    "its workers with -E";
  return [warn(text, advice)];
}

function countText(count: number): string {
  return count === 1 ? "1 fire is" : `${count} fires are`;
}

const VISIBILITY_ADVICE =
  "raise visibility_timeout in the workers' broker_transport_options (and in beat.yaml), else " +
  "Celery runs it twice";

function runs({ recent }: TaskFacts, { visibilityMs }: TaskContext): Found[] {
  const p99 = recent === null ? null : quantile([...recent.runtimes, ...recent.holds], 0.99);
  if (p99 === null || p99 <= visibilityMs / 2) return [];
  const text = `it runs for ${spanText(p99)} (p99), over half of the visibility timeout ` +
    `(${spanText(visibilityMs)})`;
  return [warn(text, VISIBILITY_ADVICE)];
}

function ends({ recent, view: { name } }: TaskFacts): Found[] {
  if (recent === null) return [];
  const { redelivered, lost, dropped, published, lastState } = recent;
  const found: Found[] = [];
  if (redelivered > 0) {
    found.push(warn(countOf(redelivered, "redelivery", "redeliveries"), VISIBILITY_ADVICE));
  }
  if (lost > 0) {
    found.push(warn(`${countOf(lost, "run", "runs")} lost with the worker`, "see workers' logs"));
  }
  // A change of leaders drops a few of a task that is often due: as its policy says.
  if (lastState === "dropped" || dropped > DROPPED_SHARE * published) {
    const text = `${countOf(dropped, "due time", "due times")} dropped by its policies`;
    found.push(warn(text, `\`beat why ${name}\` tells more`));
  }
  if (lastState === "failure") found.push(warn("its last run failed", "see the worker's log"));
  return found;
}

const DROPPED_SHARE = 0.1;

function countOf(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

function fineText({ view: { nextMs }, recent }: TaskFacts): string {
  const last = recent === null || recent.lastDueMs === null
    ? "not due lately"
    : `last due ${dueText(recent.lastDueMs)}: ${recent.lastState ?? "published"}`;
  const p95 = quantile(recent?.waits ?? [], 0.95);
  const wait = p95 === null ? "" : `, taken after ${spanText(p95)} (p95)`;
  return `${last}${wait}; next ${nextMs === null ? "never" : dueText(nextMs)}`;
}
