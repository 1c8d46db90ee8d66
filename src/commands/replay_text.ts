/** How a replay went, for people and for programs. */

import type { SnapshotState } from "../audit/snapshot.ts";
import { SLACK_MS } from "../preview/past_facts.ts";
import type { Difference, Replayed } from "../preview/replay.ts";
import { decisionText } from "./decision_text.ts";
import type { Shell } from "./shell.ts";
import { layoutFor, tableLines } from "./table.ts";
import { dueText, instantText } from "./time_text.ts";

export interface ShownReplay extends Replayed {
  readonly seed: SnapshotState | null;
  readonly isTrimmed: boolean;
  readonly firstMs: number | null;
  readonly foreign: number;
}

interface Window {
  readonly sinceMs: number;
  readonly untilMs: number;
}

export function printReplayed(shown: ShownReplay, window: Window, shell: Shell): void {
  const layout = layoutFor(shell);
  const counts = [...shown.byTask];
  const sum = (name: "compared" | "differences" | "unreadable" | "wanted") =>
    counts.reduce((total, [, each]) => total + each[name], 0);
  const lines = tableLines(
    ["TASK", "DECISIONS", "DIFFERENCES", "BY PEOPLE", "UNREADABLE"],
    counts.toSorted(([one], [other]) => one < other ? -1 : 1).map(([task, each]) => [
      { text: task },
      { text: String(each.compared) },
      { text: String(each.differences), ...(each.differences > 0 ? { colour: "red" } : {}) },
      { text: String(each.wanted) },
      { text: String(each.unreadable) },
    ]),
    layout,
  );
  if (counts.length > 0) shell.out(`${lines.join("\n")}\n\n`);
  for (const each of shown.undecided) shell.out(`${undecidedText(each)}\n`);
  shell.out(
    `${instantText(window.sinceMs)} to ${instantText(window.untilMs)}: ` +
      `${sum("compared")} decisions made again, ${sum("differences")} differ\n`,
  );
  for (const remark of remarksOn(shown)) shell.err(`${remark}\n`);
}

/** What a reader must know to judge the result. */
function remarksOn({ seed, isTrimmed, firstMs, foreign, byTask }: ShownReplay): string[] {
  const begins = firstMs === null ? "nowhere" : instantText(firstMs);
  const isUnreadable = [...byTask.values()].some(({ unreadable }) => unreadable > 0);
  return [
    ...(seed === null ? [] : [
      `rows before ${begins} are gone: replayed from the snapshot of them; what was decided in the ` +
      `first ${SLACK_MS / 1_000} s after it stands as it was`,
    ]),
    ...(isTrimmed && seed === null
      ? [
        `the journal begins in the middle, ${begins}: each task is replayed from where it is declared`,
      ]
      : []),
    ...(isUnreadable
      ? ["UNREADABLE: nothing that this build can read says what the task was"]
      : []),
    ...(foreign > 0 ? [`${foreign} entries that are no rows were passed over`] : []),
  ];
}

function undecidedText(
  { task, count, fromMs, toMs, why, isSkipping }: Replayed["undecided"][number],
): string {
  const times = count === 1 ? "1 due time" : `${count} due times`;
  const because = {
    changed: "when it was changed",
    retired: "when it was retired",
    "history lost": "when history was lost",
    end: "at the end",
  }[why];
  const skips = isSkipping ? " (skips in a row are written within the hour)" : "";
  return `${task}: ${times} without a decision ${because}, ${dueText(fromMs)} to ${
    dueText(toMs)
  }${skips}`;
}

export function replayedObject(
  shown: ShownReplay,
  differences: readonly Difference[],
  { sinceMs, untilMs }: Window,
): Record<string, unknown> {
  return {
    from: instantText(sinceMs),
    to: instantText(untilMs),
    journal_begins: shown.firstMs === null ? null : instantText(shown.firstMs),
    from_snapshot: shown.seed !== null,
    is_cut: shown.isTrimmed,
    tasks: Object.fromEntries(shown.byTask),
    differences: differences.map(({ kind, task, decidedMs, recorded, now }) => ({
      kind,
      task,
      decided: instantText(decidedMs),
      due: dueOf(recorded ?? now),
      row: recorded?.id ?? null,
      was: decisionOf(recorded),
      now: decisionOf(now),
    })),
    undecided: shown.undecided.map(({ fromMs, toMs, isSkipping, ...each }) => ({
      ...each,
      from: dueText(fromMs),
      to: dueText(toMs),
      is_skipping: isSkipping,
    })),
  };
}

type Decided = Parameters<typeof decisionText>[0];

function dueOf(row: { readonly dueMs: number | null } | null): string | null {
  return row?.dueMs == null ? null : dueText(row.dueMs);
}

function decisionOf(row: Decided): Record<string, unknown> | null {
  return row === null ? null : { type: row.type, text: decisionText(row), detail: row.detail };
}
