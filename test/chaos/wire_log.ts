/** The way of each message, for people who look for the cause of a finding: a line for each step of it. */

import { messageOf } from "./ledger.ts";
import type { Command, Group } from "./tap.ts";

export interface WireLog {
  note(group: Group): void;
  close(): void;
}

const FLUSH_BYTES = 65_536;
const UNACKED = "unacked";

export function openWireLog(path: string): WireLog {
  const file = Deno.openSync(path, { create: true, append: true });
  let text = "";
  const flush = () => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    text = "";
  };
  return {
    note(group) {
      const nowMs = Date.now();
      const words = group.flatMap(wordsOf);
      if (words.length > 0) text += `${nowMs} ${words.join("; ")}\n`;
      if (text.length > FLUSH_BYTES) flush();
    },
    close() {
      flush();
      file.close();
    },
  };
}

function wordsOf(command: Command): string[] {
  const [name = "", key = "", ...rest] = command;
  const verb = name.toUpperCase();
  switch (verb) {
    case "LPUSH":
    case "RPUSH":
      return [`${verb} ${key} ${rest.map(fireOf).join(" ")}`];
    case "RPOP":
    case "LREM":
    case "DEL":
      return [`${verb} ${key}`];
    case "HSET":
      return key === UNACKED ? [`${verb} ${key} ${rest[0]} ${fireOf(rest[1] ?? "")}`] : [];
    case "HDEL":
      return key === UNACKED ? [`${verb} ${key} ${rest.join(" ")}`] : [];
    case "SET":
      return key === "beat:fence" || key === "beat:lease" ? [`${verb} ${key} ${rest[0]}`] : [];
    default:
      return [];
  }
}

/** Of an element of a queue, or of the list around it in `unacked`. */
function fireOf(element: string): string {
  if (!element.includes("x-beat-fire-id")) return "?";
  const value = JSON.parse(element);
  const { fire, isReturned } = messageOf(Array.isArray(value) ? JSON.stringify(value[0]) : element);
  return `${fire}${isReturned ? " (returned)" : ""}`;
}
