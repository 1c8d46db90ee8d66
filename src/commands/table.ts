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

export interface TableOptions {
  readonly paint: Paint;
  /** Longer lines lose the ends of their widest cells. @default Infinity */
  readonly width?: number;
}

/** Between two columns. */
const GAP = "  ";

/** No column is cut shorter than this. */
const COLUMN_MIN = 8;

/** Lines of a table, headings first, columns as wide as their longest cell. */
export function tableLines(
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
  { paint, width = Infinity }: TableOptions,
): string[] {
  const all = [headings.map((text): Cell => ({ text, colour: "bold" })), ...rows];
  const widths = fitted(
    headings.map((_, column) => Math.max(...all.map((row) => row[column]?.text.length ?? 0))),
    width,
  );
  return all.map((row) =>
    widths.map((columnWidth, column) => {
      const { text, colour } = row[column] ?? { text: "" };
      const isLast = column === widths.length - 1;
      const shown = isLast ? cut(text, columnWidth) : cut(text, columnWidth).padEnd(columnWidth);
      return colour === undefined ? shown : paint(colour, shown);
    }).join(GAP).trimEnd()
  );
}

/** Takes from the widest column until the line fits, or nothing can be taken. */
function fitted(widths: readonly number[], width: number): number[] {
  const result = [...widths];
  let over = result.reduce((sum, one) => sum + one, GAP.length * (result.length - 1)) - width;
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
