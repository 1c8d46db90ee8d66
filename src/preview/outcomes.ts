/** What became of each due time, from rows; and where two schedules, or then and now, come to another end. */

import type { JournalRow } from "../event.ts";
import { canonicalJson } from "../task.ts";
import type { Trigger } from "../triggers/mod.ts";
import { isOfSchedule, kindOf } from "./decisions.ts";

/** The last word on a due time. */
export interface Outcome {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Outcomes {
  take(row: JournalRow): void;
  /** By task and due time. */
  readonly byTask: ReadonlyMap<string, ReadonlyMap<number, Outcome>>;
}

/** Due times in a row that come to the same two ends. */
export interface OutcomeDifference {
  /** `+`: only the other publishes; `-`: only the first; `~`: another difference. */
  readonly kind: "+" | "-" | "~";
  readonly task: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
  /** `null` where it is not due at all. */
  readonly one: Outcome | null;
  readonly other: Outcome | null;
}

/** A range that says more due times than that is kept by its ends alone. */
const RANGE_MAX = 200_000;

/** @param triggerOf what the task was due by when the row was written */
export function outcomesOf(
  { sinceMs, untilMs }: { readonly sinceMs: number; readonly untilMs: number },
  triggerOf: (task: string) => Trigger | null,
): Outcomes {
  const byTask = new Map<string, Map<number, Outcome>>();

  function put(task: string, dueMs: number, outcome: Outcome): void {
    if (dueMs < sinceMs || dueMs >= untilMs) return;
    let own = byTask.get(task);
    if (own === undefined) byTask.set(task, own = new Map());
    own.set(dueMs, outcome);
  }

  return {
    byTask,
    take(row) {
      const { type, task, dueMs, detail } = row;
      if (dueMs === null || !isOfSchedule(row)) return;
      if (type !== "task.dropped") return put(task, dueMs, outcomeOf(type, detail));
      const { by, reason } = detail;
      const outcome = { type: "fire.skipped", detail: { by, reason } };
      const trigger = triggerOf(task);
      const [fromMs, toMs] = [Number(detail.fromMs), Number(detail.toMs)];
      let each: number | null = fromMs;
      for (let count = 0; each !== null && each <= toMs && count < RANGE_MAX; count++) {
        put(task, each, outcome);
        each = trigger?.next(each) ?? null;
      }
      put(task, toMs, outcome);
    },
  };
}

const SAYS: Readonly<Record<string, readonly string[]>> = {
  "fire.published": ["notBeforeMs", "notes"],
  "fire.delayed": ["untilMs", "by", "reason"],
  "fire.skipped": ["by", "reason"],
};

function outcomeOf(type: string, detail: JournalRow["detail"]): Outcome {
  const said = (SAYS[type] ?? []).filter((name) => detail[name] !== undefined)
    .map((name) => [name, detail[name]]);
  return { type, detail: Object.fromEntries(said) };
}

/** In the order of tasks, and in each in that of time. */
export function outcomeDifferences(one: Outcomes, other: Outcomes): OutcomeDifference[] {
  const tasks = [...new Set([...one.byTask.keys(), ...other.byTask.keys()])].sort();
  return tasks.flatMap((task) =>
    differencesOf(task, one.byTask.get(task) ?? NONE, other.byTask.get(task) ?? NONE)
  );
}

const NONE: ReadonlyMap<number, Outcome> = new Map();

function differencesOf(
  task: string,
  one: ReadonlyMap<number, Outcome>,
  other: ReadonlyMap<number, Outcome>,
): OutcomeDifference[] {
  const found: OutcomeDifference[] = [];
  let key = "";
  for (const dueMs of [...new Set([...one.keys(), ...other.keys()])].sort((a, b) => a - b)) {
    const pair = { one: one.get(dueMs) ?? null, other: other.get(dueMs) ?? null };
    const isSame = canonicalJson(pair.one) === canonicalJson(pair.other);
    const nextKey = isSame ? "" : canonicalJson([general(pair.one), general(pair.other)]);
    const last = found.at(-1);
    if (!isSame && nextKey === key && last !== undefined) {
      found[found.length - 1] = { ...last, toMs: dueMs, count: last.count + 1 };
    } else if (!isSame) {
      found.push({
        kind: kindOf(pair.one, pair.other),
        task,
        fromMs: dueMs,
        toMs: dueMs,
        count: 1,
        ...pair,
      });
    }
    key = nextKey;
  }
  return found;
}

/** Without what is another for each due time, so that a row of them is one line. */
function general(outcome: Outcome | null): unknown {
  if (outcome === null) return null;
  const { notBeforeMs, untilMs, ...detail } = outcome.detail;
  return { ...outcome, detail: { ...detail, isHeld: (notBeforeMs ?? untilMs) !== undefined } };
}
