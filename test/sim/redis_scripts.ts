/**
 * Beat's scripts once more, line by line as in Lua: the same checks and writes in the same order, each
 * through `call`, so that what is broken on purpose here breaks as it would there.
 */

import commitText from "../../src/redis/commit.lua" with { type: "text" };
import leaseText from "../../src/redis/lease.lua" with { type: "text" };
import probeText from "../../src/redis/probe.lua" with { type: "text" };
import reservedText from "../../src/redis/reserved.lua" with { type: "text" };
import settleText from "../../src/redis/settle.lua" with { type: "text" };
import type { Call, ScriptPort, ScriptPorts } from "./redis_scripting.ts";
import { shaOf } from "./redis_scripting.ts";
import type { Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

/** Texts of the scripts that production sends. */
export const SCRIPT_TEXTS = {
  commit: commitText,
  settle: settleText,
  lease: leaseText,
  probe: probeText,
  reserved: reservedText,
} as const;

export type ScriptName = keyof typeof SCRIPT_TEXTS;

/** Ports as the model wants them. @param broken ports to run in place of the right ones */
export function scriptPorts(broken: Partial<Record<ScriptName, ScriptPort>> = {}): ScriptPorts {
  const right: Record<ScriptName, ScriptPort> = { commit, settle, lease, probe, reserved };
  const ports = new Map<string, ScriptPort>();
  for (const name of Object.keys(right) as ScriptName[]) {
    ports.set(shaOf(SCRIPT_TEXTS[name]), broken[name] ?? right[name]);
  }
  return ports;
}

interface Checked {
  /** Ends the script: a foreign key, a stream near its last id, or a newer fence. */
  readonly refusal: Reply | null;
  /** Of the lists, in the order of their keys. */
  readonly isList: readonly boolean[];
  readonly lastId: string;
}

/** The head that commit.lua and settle.lua share. */
function check(
  call: Call,
  types: readonly string[],
  [keys, fence]: [readonly string[], string],
): Checked {
  const isList: boolean[] = [];
  let lastId = "0-0";
  for (let i = 0; i < keys.length; i++) {
    const kind = call("TYPE", keys[i]!) as string;
    const fits = kind === "none" || kind === (types[i] ?? "list");
    if (i < types.length && !fits) return { refusal: [2, keys[i]!, kind], isList, lastId };
    if (i === 1 && kind === "stream") {
      const info = call("XINFO", "STREAM", keys[1]!) as Reply[];
      lastId = info[info.indexOf("last-generated-id") + 1] as string;
      if (lastId.indexOf("-") >= 15) return { refusal: [3, keys[1]!], isList, lastId };
    }
    if (i >= types.length) isList.push(fits);
  }
  if (call("GET", keys[0]!) !== fence) return { refusal: [1], isList, lastId };
  return { refusal: null, isList, lastId };
}

/** TIME in whole milliseconds. */
function timeOf(call: Call): number {
  const [seconds, microseconds] = call("TIME") as string[];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

const COMMIT_TYPES = ["string", "stream", "hash", "hash"];

/** What commit.lua says of a cursor that is not the expected one. */
export function judge(stored: string, expect: string, next: string): string {
  if (stored === next) return "d";
  const [, due, revision] = /^(-?\d+) (\S+)/.exec(stored) ?? [];
  const [, nextDue, nextRevision] = /^(-?\d+) (\S+)/.exec(next) ?? [];
  if (due === undefined) return "g";
  const expected = /^-?\d+ (\S+)/.exec(expect)?.[1];
  if (revision !== expected && revision !== nextRevision) return "r";
  return nextDue !== undefined && Number(due) >= Number(nextDue) ? "d" : "g";
}

interface Plan {
  readonly answers: string[];
  /** Rows to write: type, place of the name, due, decided, payload. */
  readonly rows: (readonly string[])[];
  /** Places of names whose cursors change. */
  readonly moved: Set<number>;
  /** Messages by the place of their list. */
  readonly pushes: Map<number, string[]>;
  readonly opens: string[];
}

export const commit: ScriptPort = (call, keys, argv) => {
  const { refusal, isList, lastId } = check(call, COMMIT_TYPES, [keys, argv[0]!]);
  if (refusal !== null) return refusal;
  const now = timeOf(call);
  const names = argv.slice(4, 4 + Number(argv[2]));
  const stored = names.length > 0 ? call("HMGET", keys[2]!, ...names) as (string | null)[] : [];
  const cursors = stored.map((text) => text ?? "");
  const plan: Plan = {
    ...{ answers: [], rows: [], moved: new Set<number>(), pushes: new Map(), opens: [] },
  };
  let at = 4 + names.length;
  for (let i = 0; i < Number(argv[3]); i++) {
    const parts = STEP.exec(argv[at]!)!.slice(1);
    const [cursor, , expect, next, notBefore, notAfter, , , , , place] = parts as [
      string,
      ...string[],
    ];
    const [name, list] = [Number(cursor) - 1, Number(place)];
    let answer = "c";
    if (cursors[name] !== expect) answer = judge(cursors[name]!, expect!, next!);
    else if (now < Number(notBefore)) answer = "e";
    else if (notAfter !== "" && now > Number(notAfter)) answer = "s";
    else if (list > 0 && !isList[list - 1]) answer = "w";
    else {
      cursors[name] = next!;
      take(plan, { name, list, parts, message: argv[at + 1]! });
    }
    plan.answers.push(answer);
    at += list > 0 ? 2 : 1;
  }
  const after = write(call, keys, argv, { plan, names, cursors, lastId });
  return [0, now, plan.answers.join(""), lastId, after];
};

/** A step in one text; only the last of its parts may hold line feeds. */
const STEP = new RegExp(`^${"([^\\n]*)\\n".repeat(12)}(.*)$`, "s");

function take(
  { moved, rows, pushes, opens }: Plan,
  { name, list, parts, message }: {
    name: number;
    list: number;
    parts: readonly string[];
    message: string;
  },
): void {
  const [, row, , , , , type, due, decided, payload, , key, text] = parts as [string, ...string[]];
  moved.add(name);
  rows.push([type!, row!, due!, decided!, payload!]);
  if (list === 0) return;
  const messages = pushes.get(list);
  if (messages === undefined) pushes.set(list, [message]);
  else messages.push(message);
  opens.push(key!, text!);
}

interface Judged {
  readonly plan: Plan;
  readonly names: readonly string[];
  readonly cursors: readonly string[];
  readonly lastId: string;
}

/** @returns the id of the last row */
function write(
  call: Call,
  keys: readonly string[],
  argv: readonly string[],
  { plan, names, cursors, lastId }: Judged,
): string {
  // Whichever write is first needs memory, so that all of it is refused when there is none left.
  for (const [list, messages] of plan.pushes) call("LPUSH", keys[3 + list]!, ...messages);
  let last = lastId;
  for (const [type, row, due, decided, payload] of plan.rows) {
    last = call(
      ...["XADD", keys[1]!, "*", "v", argv[1]!, "t", type!] as const,
      ...["k", names[Number(row) - 1]!, "d", due!, "m", decided!] as const,
      ...["f", argv[0]!, "p", payload!] as const,
    ) as string;
  }
  const kept: string[] = [];
  const gone: string[] = [];
  for (const name of plan.moved) {
    if (cursors[name] === "") gone.push(names[name]!);
    else kept.push(names[name]!, cursors[name]!);
  }
  if (kept.length > 0) call("HSET", keys[2]!, ...kept);
  if (gone.length > 0) call("HDEL", keys[2]!, ...gone);
  if (plan.opens.length > 0) call("HSET", keys[3]!, ...plan.opens);
  return last;
}

const SETTLE_TYPES = ["string", "stream", "hash"];

export const settle: ScriptPort = (call, keys, argv) => {
  const { refusal, isList, lastId: idBefore } = check(call, SETTLE_TYPES, [keys, argv[0]!]);
  if (refusal !== null) return refusal;
  const now = timeOf(call);
  const oldEnds = isList.map((fits, list) =>
    new Set(
      fits
        ? call("LRANGE", keys[3 + list]!, String(-Number(argv[3 + list])), "-1") as string[]
        : [],
    )
  );
  const count = Number(argv[2]);
  const open = argv.slice(keys.length, keys.length + count);
  const stored = count > 0 ? call("HMGET", keys[2]!, ...open) as (string | null)[] : [];
  const texts = new Map(open.map((key, i) => [key, stored[i] ?? null]));
  const changed = new Set<string>();
  let [answers, lastId, at] = ["", idBefore, keys.length + count];
  for (const key of open) {
    const [list, last] = [Number(argv[at + 2]), at + 5 + 5 * Number(argv[at + 4])];
    let answer = "s";
    if (texts.get(key) !== argv[at]) answer = "d";
    else if (list > 0 && !isList[list - 1]) answer = "w";
    // From the tail: an expired message is among the oldest.
    else if (
      list > 0 && (!oldEnds[list - 1]!.has(argv[at + 3]!) ||
        call("LREM", keys[2 + list]!, "-1", argv[at + 3]!) === 0)
    ) answer = "r";
    else {
      for (let r = at + 5; r < last; r += 5) {
        lastId = call(
          ...["XADD", keys[1]!, "*", "v", argv[1]!, "t", argv[r]!, "k", argv[r + 1]!] as const,
          ...["d", argv[r + 2]!, "m", argv[r + 3]!, "f", argv[0]!, "p", argv[r + 4]!] as const,
        ) as string;
      }
      texts.set(key, argv[at + 1]!);
      changed.add(key);
    }
    answers += answer;
    at = last;
  }
  for (const key of changed) {
    const text = texts.get(key)!;
    if (text === "") call("HDEL", keys[2]!, key);
    else call("HSET", keys[2]!, key, text);
  }
  return [0, now, answers, idBefore, lastId];
};

export const lease: ScriptPort = (call, keys, argv) => {
  for (const key of keys.slice(0, 3)) {
    const kind = call("TYPE", key) as string;
    if (kind !== "none" && kind !== "string") return [2, key, kind];
  }
  const [verb, owner, ttl, known] = argv as readonly [string, string, string, string];
  const held = call("GET", keys[0]!) as string | null;
  const now = timeOf(call);
  if (verb === "take") return takeLease(call, keys, argv, { held, now });
  if (verb === "release") {
    if (/^(.*) \d+$/s.exec(held ?? "")?.[1] !== owner) return [1];
    call("DEL", keys[0]!);
    return [0];
  }
  if (held !== `${owner} ${known}`) return [1];
  call("PEXPIRE", keys[0]!, ttl);
  return [0, now];
};

function takeLease(
  call: Call,
  keys: readonly string[],
  argv: readonly string[],
  { held, now }: { held: string | null; now: number },
): Reply {
  const [, owner, ttl] = argv as [string, string, string];
  const [known, newEpoch, version] = [Number(argv[3]), argv[4]!, Number(argv[5])];
  const stored = (call("GET", keys[2]!) ?? "") as string;
  const [, named, asked] = /^(.*) v(\d+)$/s.exec(stored) ?? [];
  if (asked !== undefined && Number(asked) > version) return [3, Number(asked)];
  let epoch = named ?? stored;
  const [, heldBy, heldFence] = /^(.*) (\d+)$/s.exec(held ?? "") ?? [];
  if (held !== null && heldBy !== owner) {
    let left = call("PTTL", keys[0]!) as number;
    // Somebody took its end away, and nobody would ever lead again; or, as an end is a point in time, the
    // clock was set back, and nobody would until it gets there.
    if (left < 0 || left > Number(argv[6])) {
      call("PEXPIRE", keys[0]!, ttl);
      left = Number(ttl);
    }
    return [1, heldBy ?? held, Number(heldFence ?? 0), left];
  }
  // Our own lease above every fence that we have seen: the reply that granted it was lost.
  const current = Number(call("GET", keys[1]!) ?? 0) || 0;
  const isRepeated = held !== null && Number(heldFence) > known && Number(heldFence) >= current;
  const fence = isRepeated ? heldFence! : String(Math.max(current, known, now - 1) + 1);
  // The first write needs memory, so that all of it is refused when there is none left.
  call("SET", keys[1]!, fence);
  call("SET", keys[0]!, `${owner} ${fence}`, "PX", ttl);
  const isNew = epoch === "" || (isRepeated && epoch === newEpoch);
  if (epoch === "") {
    epoch = newEpoch;
    call("SET", keys[2]!, epoch);
  }
  return [0, now, Number(fence), epoch, isNew ? 1 : 0];
}

/** Nobody is kept from a command here. */
export const probe: ScriptPort = (call, keys) => {
  const refused: string[] = [];
  const attempt = (command: string, ...rest: string[]) => {
    try {
      call(command, keys[0]!, ...rest);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      if (/can't run|NOPERM|[Uu]nknown/.test(error.message)) refused.push(command);
    }
  };
  if (call("TYPE", keys[0]!) === "string") {
    attempt("LPUSH", "x");
    attempt("XADD", "*", "x", "x");
    attempt("HSET", "x", "x");
    attempt("HDEL", "x");
    attempt("LREM", "-1", "x");
  }
  return refused.join(" ");
};

export const reserved: ScriptPort = (call, keys, argv) => {
  const letters = argv.map((tag) => {
    const value = call("HGET", keys[0]!, tag) as string | null;
    if (value === null) return "n";
    const isAgain = value.includes('"redelivered": true') || value.includes('"redelivered":true');
    return isAgain ? "a" : "f";
  });
  return letters.join("");
};
