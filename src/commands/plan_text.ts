/** A plan for people in a terminal: its table, and what goes out per minute. */

import type { OutcomeDifference } from "../preview/outcomes.ts";
import type { MinuteBook, PlanLine, PlanRow } from "../preview/plan_table.ts";
import { bucketsOf, kindText } from "../preview/plan_table.ts";
import { decisionText } from "./decision_text.ts";
import type { MessageDifference } from "./plan_diff.ts";
import type { Layout, Paint } from "./table.ts";
import { tableLines } from "./table.ts";
import { dueText, instantText } from "./time_text.ts";

/** Rows in a row of the same kind are told with a reason each; beyond so many they are not. */
const REASONS_MAX = 3;

export function planTable(
  lines: readonly PlanLine[],
  layout: Layout,
  isExplaining: boolean,
): string[] {
  // A line of its own says its reason by itself.
  const hasWhy = isExplaining && lines.some(({ counts }) => counts !== null);
  const rows = lines.map(({ atMs, task, queue, rows, counts }) => [
    { text: counts === null ? instantText(atMs) : `${dueText(atMs).slice(0, 13)} (the hour)` },
    { text: task },
    { text: queue },
    { text: counts === null ? rowText(rows[0]!, isExplaining) : countsText(counts) },
    ...(isExplaining && counts !== null ? [{ text: reasonsText(rows) }] : []),
  ]);
  const headings = ["TIME (UTC)", "TASK", "QUEUE", "WHAT", ...(hasWhy ? ["WHY"] : [])];
  return tableLines(headings, rows, layout, ["QUEUE"]);
}

function rowText(row: PlanRow, isExplaining: boolean): string {
  const text = decisionText(row);
  if (isExplaining) return text === "published" ? "published: it is due" : text;
  if (row.count > 1) return `${row.count.toLocaleString("en")} ${kindText(row)}`;
  const due = row.decidedMs === row.dueMs ? "" : ` (due ${dueText(row.dueMs)})`;
  if (row.type === "task.dropped") return `${kindText(row)}${due}`;
  // The times in it have colons, too.
  return `${text.split(": ")[0]!.split(",")[0]}${due}`;
}

function countsText(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${count.toLocaleString("en")} ${what}`).join(", ");
}

function reasonsText(rows: readonly PlanRow[]): string {
  const reasons = new Set(rows.flatMap(({ detail: { reason } }) =>
    reason === undefined ? [] : [
      String(reason),
    ]
  ));
  const some = [...reasons].slice(0, REASONS_MAX).join("; ");
  return reasons.size > REASONS_MAX ? `${some}; and ${reasons.size - REASONS_MAX} more` : some;
}

const BARS = " ▁▂▃▄▅▆▇█";

/** One line of bars for each queue, each bar the fullest minute of its time, and the peak by name. */
export function chartLines(
  book: MinuteBook,
  { fromMs, untilMs, columns }: { fromMs: number; untilMs: number; columns: number },
): string[] {
  const names = [...book.queues.keys()].sort();
  const longest = Math.max(0, ...names.map((name) => name.length));
  const count = Math.max(
    10,
    Math.min(columns - longest - 2, Math.ceil((untilMs - fromMs) / 60_000)),
  );
  return names.flatMap((name) => {
    const buckets = bucketsOf(book.queues.get(name)!, { fromMs, untilMs, count });
    const most = Math.max(...buckets);
    const bars = buckets.map((each) => BARS[Math.ceil(8 * each / most)]).join("");
    const { atMs, count: fires, tasks } = book.peak(name)!;
    const whose = tasks.slice(0, 3).map(([task, own]) => `${task} ${own}`).join(", ");
    return [
      `${name.padEnd(longest)}  ${bars}`.trimEnd(),
      `${" ".repeat(longest)}  peak ${fires} in the minute of ${dueText(atMs)}: ${whose}`,
    ];
  });
}

/** `+ 3,600 of a.each, due 14:00 to 15:00: nothing, now published`. */
export function differenceLine(each: OutcomeDifference, paint: Paint): string {
  const { kind, task, fromMs, toMs, count, one, other } = each;
  const due = count === 1 ? `due ${dueText(fromMs)}` : `${dueText(fromMs)} to ${dueText(toMs)}`;
  const times = count === 1 ? "" : `  ${count.toLocaleString("en")} times`;
  const colour = kind === "+" ? "green" : kind === "-" ? "red" : "yellow";
  return `${paint(colour, `${kind} ${task}  ${due}${times}`)}\n    ${decisionText(one)}\n    → ${
    decisionText(other)
  }\n`;
}

/** `~ shop.report  sends another message: queue (reports → slow), args`. */
export function messageLine({ task, fields, queue }: MessageDifference, paint: Paint): string {
  const names = fields.map((each) =>
    each === "queue" ? `queue (${queue.one} → ${queue.other})` : each
  );
  return `${paint("yellow", `~ ${task}  sends another message: ${names.join(", ")}`)}\n`;
}
