/**
 * The journal over Redis. `commit.lua` and `settle.lua` hold the rules; here their arguments are
 * laid out flat, their answers read, and what Redis holds is turned into values.
 */

import type { Redis } from "ioredis";
import { encodeOpen, openKey } from "../cursor.ts";
import { JournalUnavailableError } from "../errors.ts";
import { encodeRow, ROW_VERSION } from "../event.ts";
import type { Journal, LastId, Outcome, Settlement, SettleOutcome, Step } from "../ports.ts";
import { checkSettlements, checkSteps } from "../steps.ts";
import { ask } from "./client.ts";
import commitText from "./commit.lua" with { type: "text" };
import type { Keys } from "./keys.ts";
import { loadAll, loadSome } from "./load.ts";
import { journalExtent, readRows, traceRow } from "./read.ts";
import { refuseForeign } from "./errors.ts";
import type { Script } from "./script.ts";
import { runScript, scriptOf } from "./script.ts";
import settleText from "./settle.lua" with { type: "text" };
import { trimRows } from "./trim.ts";

const COMMIT = scriptOf(commitText);
const SETTLE = scriptOf(settleText);

/** First element of an answer of either script. */
const REPLY = { done: 0, fenced: 1, foreignKey: 2, exhaustedStream: 3 } as const;

const OUTCOME: Readonly<Record<string, Outcome>> = {
  c: { kind: "committed" },
  d: { kind: "duplicate" },
  g: { kind: "gap" },
  e: { kind: "early" },
  r: { kind: "revision" },
  w: { kind: "wrongtype" },
};

const SETTLE_OUTCOME: Readonly<Record<string, SettleOutcome>> = {
  s: "settled",
  d: "duplicate",
  r: "raced",
  w: "wrongtype",
};

/** @param client a connection that does not repeat commands by itself, see `connect` */
export function redisJournal(client: Redis, keys: Keys): Journal {
  return {
    async commit(steps, fence) {
      checkSteps(steps, fence);
      const { lists, args } = commitCall(steps, fence, keys);
      const own = [keys.fence, keys.journal, keys.cursors, keys.open];
      return await answered(client, COMMIT, [...own, ...lists], args, OUTCOME);
    },
    async settle(settlements, fence) {
      checkSettlements(settlements, fence);
      const { lists, args } = settleCall(settlements, fence, keys);
      const own = [keys.fence, keys.journal, keys.open];
      return await answered(client, SETTLE, [...own, ...lists], args, SETTLE_OUTCOME);
    },
    load: () => loadAll(client, keys),
    reload: (tasks, openIds) => loadSome(client, keys, tasks, openIds),
    trace: (id) => traceRow(client, keys, id),
    extent: () => journalExtent(client, keys),
    trim: (request, fence) => trimRows(client, keys, request, fence),
    read: (range, onForeign, onMoved) =>
      readRows(client, keys, range, { isBackwards: false, onForeign, onMoved }),
    readBack: (range, onForeign) => readRows(client, keys, range, { isBackwards: true, onForeign }),
  };
}

interface Call {
  /** Keys of the distinct lists, in the order of their places. */
  readonly lists: Iterable<string>;
  readonly args: (string | number)[];
}

/** Laid out as the header of commit.lua says. */
function commitCall(steps: readonly Step[], fence: number, keys: Keys): Call {
  const names = new Map<string, number>();
  const lists = new Map<string, number>();
  const body: string[] = [];
  for (const { task, expect, next, notBeforeMs, row, publish } of steps) {
    const [type, due, decided, payload] = encodeRow(row);
    const cursor = `${placeOf(names, task)}\n${placeOf(names, row.task)}\n${expect}\n${next}`;
    const rest = `${notBeforeMs}\n${type}\n${due}\n${decided}\n${payload}`;
    if (publish === null) {
      body.push(`${cursor}\n${rest}\n0\n\n`);
      continue;
    }
    const { message, open } = publish;
    const list = placeOf(lists, keys.list(open.list));
    body.push(`${cursor}\n${rest}\n${list}\n${openKey(open)}\n${encodeOpen(open)}`, message);
  }
  const head = [fence, ROW_VERSION, names.size, steps.length];
  return { lists: lists.keys(), args: [...head, ...names.keys(), ...body] };
}

/** Laid out as the header of settle.lua says. */
function settleCall(settlements: readonly Settlement[], fence: number, keys: Keys): Call {
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
  const head = [fence, ROW_VERSION, settlements.length, ...reaches];
  return { lists: lists.keys(), args: [...head, ...args] };
}

/** Where `name` stands in a list that grows, counted from 1 as Lua does. */
function placeOf(places: Map<string, number>, name: string): number {
  const known = places.get(name);
  if (known !== undefined) return known;
  places.set(name, places.size + 1);
  return places.size;
}

type Answer<T> =
  | { readonly kind: "fenced" }
  | {
    readonly kind: "done";
    readonly serverMs: number;
    readonly outcomes: readonly T[];
    readonly lastId: LastId;
  };

async function answered<T>(
  client: Redis,
  script: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
  letters: Readonly<Record<string, T>>,
): Promise<Answer<T>> {
  const reply = await ask(client, () => runScript(client, script, keys, args)) as [
    code: number,
    ...rest: unknown[],
  ];
  switch (reply[0]) {
    case REPLY.done:
      return {
        kind: "done",
        serverMs: reply[1] as number,
        outcomes: Array.from(reply[2] as string, (letter) => letters[letter]!),
        lastId: { before: reply[3] as string, after: reply[4] as string },
      };
    case REPLY.fenced:
      return { kind: "fenced" };
    case REPLY.foreignKey:
      throw refuseForeign(`\`${reply[1]}\` is a ${reply[2]}`);
    case REPLY.exhaustedStream:
      throw refuseForeign(`the last id of \`${reply[1]}\` is beyond any clock`);
    default:
      throw new JournalUnavailableError(`expected an answer of a script, got ${reply}`, "fatal");
  }
}
