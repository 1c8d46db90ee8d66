/** Colours and tables for a terminal, and plain text for everything else. */

import { styleText } from "node:util";
import type { Shell } from "./shell.ts";

export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

/** Colours a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Colours only on a terminal whose user has not set `NO_COLOR` (https://no-color.org). */
export function paintFor(shell: Pick<Shell, "env" | "isOutTerminal">): Paint {
  const hasColor = shell.isOutTerminal && !shell.env.NO_COLOR && shell.env.TERM !== "dumb";
  return (colour, text) => hasColor ? styleText(colour, text, { validateStream: false }) : text;
}

/** A cell; `colour` counts only on a terminal. */
export interface Cell {
  readonly text: string;
  readonly colour?: Colour;
}

/** Where a table is shown. */
export interface Layout {
  readonly paint: Paint;
  /** Longer lines lose the ends of their widest cells. In characters; `Infinity` where none is cut. */
  readonly width: number;
}

/** On a terminal as wide as that is; elsewhere nothing is cut, because a program may read it. */
export function layoutFor(shell: Pick<Shell, "env" | "isOutTerminal" | "columns">): Layout {
  return { paint: paintFor(shell), width: shell.isOutTerminal ? shell.columns : Infinity };
}

/** Between two columns. */
const GAP = "  ";

/** No column is cut shorter than this: an instant is so long, and a name can still be told by it. */
const COLUMN_MIN = 24;

/**
 * Lines of a table, headings first, columns as wide as their longest cell.
 *
 * @param spare headings of columns that can be left out where the line is too long, the first one first
 */
export function tableLines(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  { paint, width }: Layout,
  spare: readonly string[] = [],
): string[] {
  const all = [headings.map((text): Cell => ({ text, colour: "bold" })), ...rows];
  const natural = headings.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.text.length ?? 0))
  );
  const { columns, left } = columnsFor(headings, natural, { width, spare });
  const widths = fitted(columns.map((column) => natural[column]!), width);
  const lines = all.map((row) =>
    columns.map((column, at) => {
      const { text, colour } = row[column] ?? { text: "" };
      const shown = cut(text, widths[at]!).padEnd(at === columns.length - 1 ? 0 : widths[at]!);
      return colour === undefined ? shown : paint(colour, shown);
    }).join(GAP).trimEnd()
  );
  const note = `(not wide enough for ${left.join(", ")})`;
  return left.length === 0 ? lines : [...lines, paint("dim", note)];
}

/** Prints {@link tableLines}. */
export function printTable(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  shell: Shell,
  spare?: readonly string[],
): void {
  for (const line of tableLines(headings, rows, layoutFor(shell), spare)) shell.out(`${line}\n`);
}

/** The columns that there is room for. */
function columnsFor(
  headings: readonly string[],
  natural: readonly number[],
  { width, spare }: { readonly width: number; readonly spare: readonly string[] },
): { readonly columns: readonly number[]; readonly left: readonly string[] } {
  const left: string[] = [];
  let columns = [...headings.keys()];
  for (const heading of spare) {
    if (lineLength(columns.map((column) => Math.min(natural[column]!, COLUMN_MIN))) <= width) break;
    columns = columns.filter((column) => headings[column] !== heading);
    left.push(heading);
  }
  return { columns, left };
}

function lineLength(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1));
}

/** Takes from the widest column until the line fits, or nothing can be taken. */
function fitted(widths: readonly number[], width: number): number[] {
  const result = [...widths];
  let over = lineLength(result) - width;
  while (over > 0) {
    const widest = Math.max(...result);
    if (widest <= COLUMN_MIN) break;
    result[result.indexOf(widest)] = widest - 1;
    over--;
  }
  return result;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
