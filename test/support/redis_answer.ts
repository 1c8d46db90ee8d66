/** Answers of Redis as it sends them. */

import { Buffer } from "node:buffer";

/** To XRANGE. */
export function answerOf(entries: readonly (readonly [string, readonly string[]])[]): string {
  const text = (value: string) => `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
  return `*${entries.length}\r\n` +
    entries.map(([id, fields]) =>
      `*2\r\n${text(id)}*${fields.length}\r\n${fields.map(text).join("")}`
    ).join("");
}
