/** A decision about a due time in words, recorded or not. */

import type { Row } from "../event.ts";
import { harmless } from "./row_words.ts";
import { dueText } from "./time_text.ts";

type Decided = Pick<Row, "type"> | { readonly type: string };

/** `published`, `skipped by session: XNYS is closed …`; `nothing` for `null`. */
export function decisionText(
  row: (Decided & { readonly detail: Readonly<Record<string, unknown>> }) | null,
): string {
  if (row === null) return "nothing";
  const { untilMs, by, reason, count, fromMs, toMs, notBeforeMs, notes } = row.detail;
  const why = `by ${by}: ${reason}`;
  switch (row.type) {
    case "fire.published": {
      const held = typeof notBeforeMs === "number" ? `, held until ${dueText(notBeforeMs)}` : "";
      return harmless(`published${held}${notesText(notes)}`);
    }
    case "fire.delayed":
      return harmless(
        typeof untilMs === "number" ? `held until ${dueText(untilMs)} ${why}` : `waits ${why}`,
      );
    case "fire.skipped":
      return harmless(`skipped ${why}`);
    case "task.dropped": {
      const range = `${dueText(Number(fromMs))} to ${dueText(Number(toMs))}`;
      return harmless(`${count} skipped, due ${range}, ${why}`);
    }
    default:
      return harmless(row.type);
  }
}

function notesText(notes: unknown): string {
  if (notes === null || typeof notes !== "object") return "";
  return Object.entries(notes).map(([by, note]) => `; ${by}: ${note}`).join("");
}
