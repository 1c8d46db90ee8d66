/** The rows of a plan for programs. */

import type { PlanRow } from "../preview/plan_table.ts";
import { decisionText } from "./decision_text.ts";
import { dueText, instantText } from "./time_text.ts";

export function rowObject(row: PlanRow): Record<string, unknown> {
  const { decidedMs, type, task, queue, dueMs, fromMs, count, detail } = row;
  return {
    at: instantText(decidedMs),
    type,
    task,
    queue,
    due: dueText(dueMs),
    ...(count === 1 ? {} : { from: dueText(fromMs), count }),
    detail,
  };
}

export const CSV_HEAD = "at,type,task,queue,from,due,count,text";

export function csvLine(row: PlanRow): string {
  const { decidedMs, type, task, queue, dueMs, fromMs, count } = row;
  const cells = [
    ...[instantText(decidedMs), type, task, queue, dueText(fromMs), dueText(dueMs)],
    ...[String(count), decisionText(row)],
  ];
  return `${cells.map(cell).join(",")}\n`;
}

/** Quoted where it must be (RFC 4180); a spreadsheet is to take none for a formula. */
function cell(text: string): string {
  const safe = /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
