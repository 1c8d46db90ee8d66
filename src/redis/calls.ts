/**
 * The calls of `commit.lua` and `settle.lua`, which hold the rules: their arguments laid out flat, and
 * their answers read.
 */

import { JournalUnavailableError } from "../errors.ts";
import { ROW_VERSION } from "../event.ts";
import { encodeOpen, openKey } from "../open_fire.ts";
import { encodeRow } from "../row_text.ts";
import type {
  Committed,
  Outcome,
  Settled,
  Settlement,
  SettleOutcome,
  Step,
  Written,
} from "../ports.ts";
import { checkSettlements, checkSteps } from "../steps.ts";
import commitText from "./commit.lua" with { type: "text" };
import { refuseForeign } from "./errors.ts";
import type { Keys } from "./keys.ts";
import type { Script } from "./script.ts";
import { scriptOf } from "./script.ts";
import settleText from "./settle.lua" with { type: "text" };

const COMMIT = scriptOf(commitText);
const SETTLE = scriptOf(settleText);

/** First element of an answer of either script. */
const REPLY = { done: 0, fenced: 1, foreignKey: 2, exhaustedStream: 3 } as const;

const OUTCOME: Readonly<Record<string, Outcome>> = {
  c: { kind: "committed" },
  d: { kind: "duplicate" },
  g: { kind: "gap" },
  e: { kind: "early" },
  s: { kind: "stale" },
  r: { kind: "revision" },
  w: { kind: "wrongtype" },
};

const SETTLE_OUTCOME: Readonly<Record<string, SettleOutcome>> = {
  s: "settled",
  d: "duplicate",
  r: "raced",
  w: "wrongtype",
};

export interface ScriptCall {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** Laid out as the header of commit.lua says. */
export function commitCall(steps: readonly Step[], fence: number, keys: Keys): ScriptCall {
  checkSteps(steps, fence);
  const names = new Map<string, number>();
  const lists = new Map<string, number>();
  const body: string[] = [];
  for (const { task, expect, next, notBeforeMs, notAfterMs, row, publish } of steps) {
    const [type, due, decided, payload] = encodeRow(row);
    const cursor = `${placeOf(names, task)}\n${placeOf(names, row.task)}\n${expect}\n${next}`;
    const rest = `${notBeforeMs}\n${notAfterMs ?? ""}\n${type}\n${due}\n${decided}\n${payload}`;
    if (publish === null) {
      body.push(`${cursor}\n${rest}\n0\n\n`);
      continue;
    }
    const { message, open } = publish;
    const list = placeOf(lists, keys.list(open.list));
    body.push(`${cursor}\n${rest}\n${list}\n${openKey(open)}\n${encodeOpen(open)}`, message);
  }
  const head = [fence, ROW_VERSION, names.size, steps.length];
  return {
    script: COMMIT,
    keys: [keys.fence, keys.journal, keys.cursors, keys.open, ...lists.keys()],
    args: [...head, ...names.keys(), ...body],
  };
}

/** Laid out as the header of settle.lua says. */
export function settleCall(
  settlements: readonly Settlement[],
  fence: number,
  keys: Keys,
): ScriptCall {
  checkSettlements(settlements, fence);
  const lists = new Map<string, number>();
  const reaches: number[] = [];
  const args: (string | number)[] = [];
  for (const { open } of settlements) args.push(openKey(open));
  for (const { open, next, rows, remove } of settlements) {
    args.push(encodeOpen(open));
    args.push(next === null ? "" : encodeOpen(next));
    if (remove === null) {
      args.push(0, "");
    } else {
      const list = placeOf(lists, keys.list(remove.list));
      reaches[list - 1] = Math.max(reaches[list - 1] ?? 1, remove.reach);
      args.push(list, remove.bytes);
    }
    args.push(rows.length);
    for (const row of rows) {
      const [type, due, decided, payload] = encodeRow(row);
      args.push(type, row.task, due, decided, payload);
    }
  }
  return {
    script: SETTLE,
    keys: [keys.fence, keys.journal, keys.open, ...lists.keys()],
    args: [fence, ROW_VERSION, settlements.length, ...reaches, ...args],
  };
}

/** Where `name` stands in a list that grows, counted from 1 as Lua does. */
function placeOf(places: Map<string, number>, name: string): number {
  const known = places.get(name);
  if (known !== undefined) return known;
  places.set(name, places.size + 1);
  return places.size;
}

/** @throws {JournalUnavailableError} `fatal` */
export function committedOf(reply: unknown): Committed {
  return answerOf(reply, OUTCOME);
}

/** @throws {JournalUnavailableError} `fatal` */
export function settledOf(reply: unknown): Settled {
  return answerOf(reply, SETTLE_OUTCOME);
}

function answerOf<T>(reply: unknown, letters: Readonly<Record<string, T>>): Written<T> {
  const [code, ...rest] = reply as [code: number, ...rest: unknown[]];
  switch (code) {
    case REPLY.done: {
      const [serverMs, spelled, before, after] = rest as [number, string, string, string];
      const outcomes = Array.from(spelled, (letter) => letters[letter]!);
      return { kind: "done", serverMs, outcomes, lastId: { before, after } };
    }
    case REPLY.fenced:
      return { kind: "fenced" };
    case REPLY.foreignKey:
      throw refuseForeign(`\`${rest[0]}\` is a ${rest[1]}`);
    case REPLY.exhaustedStream:
      throw refuseForeign(`the last id of \`${rest[0]}\` is beyond any clock`);
    default:
      throw new JournalUnavailableError(`expected an answer of a script, got ${reply}`, "fatal");
  }
}
