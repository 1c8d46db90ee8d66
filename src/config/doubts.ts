/** What is written in arguments and headers, and reaches workers as something else than many mean by it. */

import type { Document } from "yaml";
import { isMap, isPair, isScalar, isSeq } from "yaml";

import type { Path } from "./issues.ts";
import { nameOf } from "./issues.ts";

/** What may have been meant otherwise. Quotes no value. */
export interface Doubt {
  /** Of the entry. */
  readonly name: string;
  readonly text: string;
}

/** Nobody reads more. */
const DOUBTS_MAX = 20;

/** The keys of an entry of which workers get what is in them. */
const SENT: ReadonlySet<string> = new Set(["args", "kwargs", "headers"]);

/** @param whereOf `file:line` of what stands at a path */
export function doubtsIn(document: Document, whereOf: (path: Path) => string): Doubt[] {
  const doubts: Doubt[] = [];

  function look(node: unknown, path: readonly PropertyKey[]): void {
    if (doubts.length >= DOUBTS_MAX) return;
    if (isScalar(node)) {
      const text = node.type === "PLAIN" ? doubtOn(node.value, node.source ?? "") : null;
      if (text === null) return;
      doubts.push({ name: String(path[1]), text: `${nameOf(path)} (${whereOf(path)}) ${text}` });
    } else if (isSeq(node)) node.items.forEach((item, at) => look(item, [...path, at]));
    else for (const [key, value] of membersOf(node)) look(value, [...path, key]);
  }

  for (const [name, entry] of membersOf(document.get("tasks"))) {
    for (const [key, value] of membersOf(entry)) {
      if (SENT.has(key)) look(value, ["tasks", name, key]);
    }
  }
  return doubts;
}

function membersOf(node: unknown): [string, unknown][] {
  if (!isMap(node)) return [];
  return node.items.flatMap((pair): [string, unknown][] =>
    isPair(pair) && isScalar(pair.key) ? [[String(pair.key.value), pair.value]] : []
  );
}

/** YAML 1.1, which Python reads, takes the words for flags and the zero for octal. */
function doubtOn(value: unknown, source: string): string | null {
  // In a file that says %YAML 1.1, these are what they look like.
  if (value === source) return doubtOnText(source);
  if (typeof value === "bigint" && /^[-+]?0\d/.test(source) && value === BigInt(source)) {
    return "is a decimal number, without the zero before it: write quotes around it, or 0o for octal";
  }
  return Number.isSafeInteger(value) ? "reaches workers as a whole number, and no float" : null;
}

function doubtOnText(text: string): string | null {
  if (/^(yes|on)$/i.test(text)) {
    return "is the text that is written there: write true, or quotes around it";
  }
  if (/^(no|off)$/i.test(text)) {
    return "is the text that is written there, which Python takes for true: write false, or quotes " +
      "around it";
  }
  if (!/^[-+]?\d[\d_]*_\d[\d_]*$/.test(text)) return null;
  return "is text: write it without `_`, or quotes around it";
}
