/** What there is to say of each entry: whether it is on, its last due time and its next. */

import { GRACE_MS } from "../audit/why.ts";
import { pauseAt, standingPauses } from "../core/pauses.ts";
import { SKIP_RUN_MS } from "../core/skip_run.ts";
import type { Cursor } from "../cursor.ts";
import { ALL_TASKS, policyOf } from "../cursor.ts";
import type { Pause } from "../policies/mod.ts";
import type { Loaded } from "../ports.ts";
import type { Config } from "../settings.ts";
import type { Task } from "../task.ts";
import { hasSameTrigger, revisionOf } from "../task.ts";
import { triggerOf } from "../triggers/mod.ts";
import type { LastFire } from "./last_fires.ts";
import { policyTexts } from "./policy_text.ts";
import { harmless } from "./row_words.ts";
import { dueText, instantText } from "./time_text.ts";
import { triggerText } from "./trigger_text.ts";

/** What is shown of an entry. */
export interface TaskView {
  readonly name: string;
  /** `null` for entries that are off, and for those that only the journal knows. */
  readonly task: Task | null;
  /** `new`: no leader has taken it up; `unknown`: this configuration does not have it. */
  readonly state: "on" | "new" | "off" | "unknown";
  /** The order that stands in its way; `null` for none. */
  readonly pause: Pause | null;
  /** The switch of an entry that is off. */
  readonly offBy: string | null;
  /** `null` where nothing was due since a leader took it up. */
  readonly last: LastFire | null;
  readonly nextMs: number | null;
  /** Due times that nobody has decided although they passed. */
  readonly waiting: number;
}

export function viewsOf(
  { tasks, off }: Pick<Config, "tasks" | "off">,
  loaded: Pick<Loaded, "cursors" | "serverMs">,
  last: ReadonlyMap<string, LastFire>,
): TaskView[] {
  const configured = new Set([...tasks, ...off].map(({ name }) => name));
  const strangers = [...loaded.cursors.keys()]
    .filter((name) => !name.includes("@") && !configured.has(name));
  const without = { task: null, pause: null, last: null, nextMs: null, waiting: 0 };
  return [
    ...tasks.map((task) => viewOf(task, loaded, last.get(task.name) ?? null)),
    ...off.map(({ name, by }) => ({ ...without, name, state: "off" as const, offBy: by })),
    ...strangers.map((name) => ({ ...without, name, state: "unknown" as const, offBy: null })),
  ];
}

function viewOf(
  task: Task,
  { cursors, serverMs }: Pick<Loaded, "cursors" | "serverMs">,
  last: LastFire | null,
): TaskView {
  const trigger = triggerOf(task.trigger);
  const cursor = cursors.get(task.name);
  const pause = pauseAt(cursors, task.name, serverMs);
  const isTakenUp = cursor !== undefined && hasSameTrigger(cursor.revision, revisionOf(task));
  return {
    name: task.name,
    task,
    state: isTakenUp ? "on" : "new",
    pause,
    offBy: null,
    last: last?.state === "none" ? null : last,
    nextMs: trigger.next(serverMs),
    waiting: isTakenUp && pause === null && !isBehindHeld(task, cursor, serverMs)
      ? Math.max(0, trigger.count(cursor.dueMs, serverMs - patienceOf(last)))
      : 0,
  };
}

/** What a policy holds is waited for; under `catchup: all`, what is due after it waits behind it. */
function isBehindHeld({ catchUp }: Task, { pending }: Cursor, serverMs: number): boolean {
  if (pending === undefined || catchUp.policy !== "all") return false;
  const isTimed = policyOf(pending) === pending.by;
  return !isTimed || serverMs - pending.notBeforeMs <= GRACE_MS;
}

/** What a policy skips in a row has a row after a while only. Milliseconds. */
function patienceOf(last: LastFire | null): number {
  return last?.state === "skipped" ? SKIP_RUN_MS : GRACE_MS;
}

/** The orders that stand, one a line; `null` for none. */
export function pausesText(
  { cursors, serverMs }: Pick<Loaded, "cursors" | "serverMs">,
): string | null {
  const lines = [...standingPauses(cursors, serverMs)].map(([task, pause]) =>
    `${task === ALL_TASKS ? "all tasks are" : `${task} is`} ${pauseText(pause)}`
  );
  return lines.length === 0 ? null : lines.sort().join("\n");
}

/** `paused since …, by …: why`. */
export function pauseText({ sinceMs, who, note }: Pause): string {
  const why = note === "" ? "" : `: ${note}`;
  return harmless(`paused since ${instantText(sinceMs)} by ${who}${why}`);
}

/** Names are stable. Times are RFC 3339. */
export function taskObject(view: TaskView): Record<string, unknown> {
  const { name, task, state, pause, offBy, last, nextMs, waiting } = view;
  return {
    name,
    state,
    paused: pause === null
      ? null
      : { since: instantText(pause.sinceMs), by: pause.who, note: pause.note },
    off_by: offBy,
    celery_task: task?.celeryTask ?? null,
    queue: task?.queue ?? null,
    trigger: task === null ? null : triggerText(task.trigger),
    policies: task === null ? [] : policyTexts(task),
    last: last === null
      ? null
      : { due: dueText(last.dueMs), state: last.state, lateness_ms: last.latenessMs },
    next: nextMs === null ? null : dueText(nextMs),
    waiting,
  };
}

/** What somebody who looks at the table should do next, or null. */
export function worriesOf(views: readonly TaskView[]): string | null {
  const waiting = views.filter((view) => view.waiting > 0);
  if (waiting.length > 0) {
    const count = waiting.reduce((sum, view) => sum + view.waiting, 0);
    const times = count === 1 ? "1 due time" : `${count} due times`;
    return `${times} of ${waiting.map(({ name }) => name).join(", ")} passed and nobody decided ` +
      "about them: is Beat running? Start it with `beat run`";
  }
  const fresh = views.filter(({ state }) => state === "new");
  if (fresh.length === 0) return null;
  return `no leader has taken up ${fresh.map(({ name }) => name).join(", ")}: ` +
    "start Beat, or reload it (SIGHUP)";
}
