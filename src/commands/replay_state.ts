/** How each task stood at an instant: for people and for programs. */

import { isStanding, pauseOf, standingPauses } from "../core/pauses.ts";
import { ALL_TASKS } from "../cursor.ts";
import { entryOf, parseFireId } from "../fire.ts";
import type { Past } from "../preview/past.ts";
import { levelLines, raisedLevels } from "./level_views.ts";
import { harmless } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import { layoutFor, tableLines } from "./table.ts";
import { dueText, instantText } from "./time_text.ts";

interface Asked {
  readonly atMs: number;
  /** `null` for all. */
  readonly tasks: ReadonlySet<string> | null;
}

interface TaskState {
  readonly task: string;
  readonly decidedMs: number;
  readonly nextMs: number | null;
  readonly held: { readonly untilMs: number; readonly by: string } | null;
  readonly pausedBy: string | null;
  readonly open: readonly { readonly fire: string; readonly state: string }[];
}

/** Fires that a table names; the others are counted. */
const FIRES_MAX = 3;

export function printState(past: Past, asked: Asked, shell: Shell): void {
  const rows = statesOf(past, asked).map((each) => [
    { text: each.task },
    { text: dueText(each.decidedMs) },
    { text: each.nextMs === null ? "never" : dueText(each.nextMs) },
    { text: heldText(each) },
    { text: openText(each) },
  ]);
  const lines = tableLines(
    ["TASK", "DECIDED UP TO", "NEXT DUE", "HELD", "ON THEIR WAY"],
    rows,
    layoutFor(shell),
    ["NEXT DUE"],
  );
  shell.out(`${instantText(asked.atMs)}, ${termText(past)}\n\n${lines.join("\n")}\n`);
  for (const line of levelLines(past.facts.notes)) shell.out(`${line}\n`);
  const all = pauseOf(past.facts.notes, ALL_TASKS);
  if (all !== null && isStanding(all, asked.atMs)) {
    shell.out(
      harmless(`all tasks are paused by ${all.who} since ${instantText(all.sinceMs)}`) + "\n",
    );
  }
}

export function stateObject(past: Past, asked: Asked): Record<string, unknown> {
  const { term } = past;
  const orNull = (ms: number | null) => ms === null ? null : dueText(ms);
  return {
    at: instantText(asked.atMs),
    term: term === null ? null : {
      ...{ fence: term.fence, owner: term.owner, since: instantText(term.sinceMs) },
      ended: term.endedMs === null ? null : instantText(term.endedMs),
    },
    tasks: statesOf(past, asked).map(({ task, decidedMs, nextMs, held, pausedBy, open }) => ({
      task,
      decided_up_to: dueText(decidedMs),
      next_due: orNull(nextMs),
      held: held === null ? null : { until: dueText(held.untilMs), by: held.by },
      paused_by: pausedBy,
      open,
    })),
    levels: raisedLevels(past.facts.notes).map(({ key, level, sinceMs }) => ({
      ...{ key, level, since: instantText(sinceMs) },
    })),
    pauses: [...standingPauses(past.facts.notes, asked.atMs)].map((
      [task, { sinceMs, who, note }],
    ) => ({
      ...{ task: task === ALL_TASKS ? null : task, who, note, since: instantText(sinceMs) },
    })),
  };
}

function statesOf({ cursors, declared, fires, facts }: Past, { tasks, atMs }: Asked): TaskState[] {
  const open = new Map<string, TaskState["open"][number][]>();
  for (const [fireId, { openId, state }] of fires) {
    const task = entryOf(parseFireId(fireId)?.task ?? "");
    open.set(task, [...open.get(task) ?? [], { fire: openId, state }]);
  }
  return [...cursors].filter(([task]) => tasks === null || tasks.has(task))
    .toSorted(([one], [other]) => one < other ? -1 : 1)
    .map(([task, { dueMs, pending }]) => {
      const pause = pauseOf(facts.notes, task);
      return {
        task,
        decidedMs: dueMs,
        nextMs: declared.get(task)?.trigger.next(dueMs) ?? null,
        held: pending === undefined ? null : { untilMs: pending.notBeforeMs, by: pending.by },
        pausedBy: pause !== null && isStanding(pause, atMs) ? pause.who : null,
        open: (open.get(task) ?? []).filter(({ state }) => state !== "due"),
      };
    });
}

function heldText({ held, decidedMs, pausedBy }: TaskState): string {
  const paused = pausedBy === null ? "" : harmless(`paused by ${pausedBy}`);
  if (held === null) return paused;
  // What waits for something else than a time has its name behind a colon.
  const until = held.by.includes(":") ? "" : ` until ${dueText(held.untilMs)}`;
  return [`due ${dueText(decidedMs)}${until} by ${held.by}`, paused].filter(Boolean).join("; ");
}

function openText({ open }: TaskState): string {
  if (open.length === 0) return "";
  const some = open.slice(-FIRES_MAX).map(({ fire, state }) => {
    const id = parseFireId(fire.replace(/#\d+$/, ""));
    return `${id === null ? fire : dueText(id.dueMs)} ${state}`;
  });
  const more = open.length > FIRES_MAX ? `${open.length - FIRES_MAX} more, ` : "";
  return `${more}${some.join(", ")}`;
}

function termText({ term }: Past): string {
  if (term === null) return "no term is known";
  const { owner, fence, sinceMs, endedMs } = term;
  if (endedMs !== null) return `nobody leads; ${harmless(owner)} left ${instantText(endedMs)}`;
  return `${harmless(owner)} leads since ${instantText(sinceMs)} (fence ${fence})`;
}
