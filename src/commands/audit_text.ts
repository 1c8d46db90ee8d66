/** What an audit found, for people: a table of tasks, the sums in words, then what is wrong and where to look. */

import type { Report } from "../audit/close.ts";
import type { Finding, FindingKind } from "../audit/findings.ts";
import { QUEUE_MAX } from "../audit/outside.ts";
import type { Spans } from "../audit/spans.ts";
import type { Tally } from "../audit/tally.ts";
import { ratesOf, sumOf } from "../audit/tally.ts";
import { millisecondsOf } from "../event.ts";
import type { ShownAudit } from "./audit_object.ts";
import { SHARES } from "./audit_object.ts";
import { harmless } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import type { Cell, Paint } from "./table.ts";
import { layoutFor, tableLines } from "./table.ts";
import { dueText, instantText, spanText } from "./time_text.ts";

export function printAudit(shown: ShownAudit, shell: Shell): void {
  const { report } = shown;
  const layout = layoutFor(shell);
  const { paint } = layout;
  const lines = [
    `due from ${instantText(report.sinceMs)} until ${instantText(report.untilMs)}`,
    "",
    ...tableLines(HEADINGS, tableRows(report), layout, SPARE),
    "",
    ...sumLines(shown, paint),
    ...findingLines(report, paint),
  ];
  shell.out(`${lines.join("\n")}\n`);
  for (const note of notesOf(shown)) shell.err(`${note}\n`);
}

const HEADINGS = [
  ...["TASK", "PLANNED", "PUBLISHED", "ACKED", "FAILED", "EXPIRED", "SKIPPED", "MISSED"],
  ...["LATE", "WRONG", "ON TIME", "P99"],
];

/** What says the least of what is wrong. */
const SPARE = ["P99", "PLANNED", "ACKED", "ON TIME", "EXPIRED"];

/** Tasks in the table; of more, those come first that something is wrong with. */
const TASKS_MAX = 40;

function tableRows({ tasks, sum, findings }: Report): Cell[][] {
  const isFound = new Set(findings.map(({ task }) => task));
  const all = [...tasks];
  const first = all.length <= TASKS_MAX
    ? all
    : [...all.filter(([task]) => isFound.has(task)), ...all.filter(([task]) => !isFound.has(task))]
      .slice(0, TASKS_MAX);
  const rows = first.map(([task, tally]) => cellsOf(task, tally));
  if (all.length === 1) return rows;
  const rest = all.length - first.length;
  if (rest > 0) rows.push([{ text: `and ${numberText(rest)} more tasks: --json` }]);
  return [...rows, cellsOf("all", sum)];
}

function cellsOf(task: string, tally: Tally): Cell[] {
  const bad = (count: number): Cell =>
    count === 0 ? { text: "0" } : { text: numberText(count), colour: "red" };
  const { accuracy } = ratesOf(tally);
  const p99 = tally.lateness.quantile(0.99);
  const wrong = tally.duplicate + tally.early + tally.orphan + tally.stuck + tally.refused;
  return [
    { text: task },
    { text: numberText(tally.planned) },
    { text: numberText(tally.published) },
    { text: numberText(tally.acked) },
    { text: numberText((tally.finished.get("failure") ?? 0) + (tally.finished.get("lost") ?? 0)) },
    { text: numberText(sumOf(tally.expired)) },
    { text: numberText(sumOf(tally.skipped)) },
    bad(tally.missed),
    bad(tally.late),
    bad(wrong),
    { text: accuracy === null ? "-" : shareText(accuracy) },
    { text: p99 === null ? "-" : spanText(p99) },
  ];
}

function sumLines(
  { report: { sum, toleranceMs, rows }, sighting, isVerified }: ShownAudit,
  paint: Paint,
) {
  const rates = ratesOf(sum);
  const depth = sighting.lists.reduce((total, list) => total + list.depth, 0);
  const looked = sighting.lists.reduce((total, list) => total + list.looked, 0);
  const lines: [name: string, text: string][] = [
    [
      "accuracy",
      `${rates.accuracy === null ? "-" : shareText(rates.accuracy)} published within ` +
      `${spanText(toleranceMs)}; missed ${shareText(rates.missed ?? 0)}, ` +
      `duplicate ${shareText(rates.duplicate ?? 0)}`,
    ],
    ["lateness", spansText(sum.lateness)],
    ["to ack", spansText(sum.toAck)],
    ["finished", countsText(sum.finished)],
    ["expired", countsText(sum.expired)],
    ["skipped", skippedText(sum.skipped)],
    [
      "looked at",
      `${numberText(rows)} rows, ${numberText(looked)} of ${numberText(depth)} ` +
      `messages in ${sighting.lists.length} queues` +
      (isVerified ? ", cursors and open fires" : ""),
    ],
  ];
  if (sum.waiting > 0) {
    lines.splice(1, 0, ["waiting", `${numberText(sum.waiting)} due just now, or held`]);
  }
  return lines.map(([name, text]) => `${paint("bold", name.padEnd(11))}${text}`);
}

/** Findings shown of each task and kind, and tasks of each kind. */
const SHOWN_MAX = 5;
const GROUPS_MAX = 10;

function findingLines({ findings, counts }: Report, paint: Paint): string[] {
  if (findings.length === 0) return ["", paint("green", "no finding")];
  return [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, all]) => {
    const groups = [...Map.groupBy(all, ({ task }) => task).values()];
    const rest = groups.length - GROUPS_MAX;
    const unnamed = (counts.get(kind) ?? 0) - countOf(all);
    return [
      "",
      `${paint("red", kind)} (${numberText(counts.get(kind) ?? 0)}): ${MEANING[kind]}`,
      ...groups.slice(0, GROUPS_MAX).flatMap((group) => groupLines(group, paint)),
      ...(rest > 0
        ? [`  and of ${numberText(rest)} more tasks: beat audit --json names them`]
        : []),
      ...(unnamed > 0 ? [`  and ${numberText(unnamed)} more that are not named`] : []),
    ];
  });
}

function groupLines(group: readonly Finding[], paint: Paint): string[] {
  const { task } = group[0]!;
  const rest = group.length - SHOWN_MAX;
  return [
    `  ${harmless(task === "" ? "of no task" : task)} (${numberText(countOf(group))})`,
    ...group.slice(0, SHOWN_MAX).map((finding) => `    ${lineOf(finding)}`),
    ...(rest > 0 ? [`    and ${numberText(rest)} more: beat audit --json names them`] : []),
    `    ${paint("dim", "next:")} ${nextStep(group[0]!)}`,
  ];
}

function countOf(findings: readonly Finding[]): number {
  return findings.reduce((sum, { count }) => sum + count, 0);
}

const MEANING: Readonly<Record<FindingKind, string>> = {
  missed: "due, and nothing in the journal says why not",
  duplicate: "published or recorded again",
  late: "later than the tolerance",
  early: "before it was due",
  orphan: "without a due time, a publish or a row",
  stuck: "open beyond its time",
  refused: "may not follow what came before",
  history: "the record has a hole",
  differs: "the journal and Redis do not agree",
};

function lineOf({ kind, fromMs, toMs, count, times, rowId, text }: Finding): string {
  const row = rowId === null ? "" : ` (row ${rowId})`;
  if (fromMs === null || toMs === null) return harmless(text + row);
  if (kind !== "missed" || count === 1) return harmless(`${dueText(fromMs)}  ${text}${row}`);
  const some = times.length >= count
    ? times.map(dueText).join(", ")
    : `${dueText(fromMs)} to ${dueText(toMs)}`;
  return harmless(`${numberText(count)} times: ${some}  ${text}`);
}

/** What to type for more. */
function nextStep({ kind, task, fromMs, rowId }: Finding): string {
  if (kind === "history" || task === "") {
    const range = rowId === null ? "" : ` --since ${instantText(millisecondsOf(rowId) - 1_000)}`;
    return `beat journal --type ${kind === "history" ? "term" : "control --type term"}${range}`;
  }
  if (fromMs === null || kind === "refused" || kind === "differs") {
    return `beat journal --task ${task}${fromMs === null ? "" : ` --since ${dueText(fromMs)}`}`;
  }
  return `beat why ${task} ${dueText(fromMs)}`;
}

/** What the figures do not cover. */
function notesOf({ report, sighting }: ShownAudit): string[] {
  const notes: string[] = [];
  const { undeclared } = report;
  if (undeclared > 0) {
    notes.push(`${numberText(undeclared)} decisions are of tasks declared in rows that are gone`);
  }
  for (const { list, depth, looked } of sighting.lists) {
    if (looked >= depth) continue;
    notes.push(`of queue ${list} the oldest ${numberText(QUEUE_MAX)} of ${depth} were looked at`);
  }
  return notes;
}

function spansText(spans: Spans): string {
  if (spans.maxMs === null) return "-";
  const parts = SHARES.map(([name, share]) => `${name} ${spanText(spans.quantile(share) ?? 0)}`);
  return `${parts.join(", ")}, max ${spanText(spans.maxMs)}`;
}

function countsText(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([name, count]) => `${name} ${numberText(count)}`).join(", ") || "-";
}

/** Reasons shown of each policy. */
const REASONS_MAX = 3;

/** Some policies have many reasons, which may name a time or a person: those are summed up. */
function skippedText(skipped: Tally["skipped"]): string {
  const byPolicy = Map.groupBy(skipped, ([reason]) => reason.split(": ", 1)[0]!);
  return countsText(
    new Map([...byPolicy].flatMap(([policy, reasons]): [string, number][] => {
      if (reasons.length <= REASONS_MAX) return reasons;
      const name = `${policy} (${numberText(reasons.length)} reasons: --json names them)`;
      return [[name, reasons.reduce((sum, [, count]) => sum + count, 0)]];
    })),
  );
}

/** Four digits, and never a whole that is none. */
function shareText(share: number): string {
  const text = (Math.floor(share * 1e6) / 1e4).toString();
  return `${share > 0 && text === "0" ? "<0.0001" : text} %`;
}

function numberText(value: number): string {
  return value.toLocaleString("en-US");
}
