/** What a key of the model holds, and the structures behind it that must be fast at both ends. */

import type { Command } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

export type Value = StringValue | HashValue | ListValue | StreamValue | SetValue | SortedSetValue;

interface Expiring {
  /** Unix milliseconds of the server's clock; `null` for never. */
  expiresMs: number | null;
}
export interface StringValue extends Expiring {
  readonly type: "string";
  text: string;
}
export interface HashValue extends Expiring {
  readonly type: "hash";
  readonly fields: Map<string, string>;
}
const NO_FIELDS: ReadonlyMap<string, string> = new Map();

/** Of a hash; none where there is no such key, or it is of another type. */
export function fieldsOf(
  keys: ReadonlyKeyspace,
  key: string,
): ReadonlyMap<string, string> {
  const value = keys.get(key);
  return value?.type === "hash" ? value.fields : NO_FIELDS;
}

export interface ListValue extends Expiring {
  readonly type: "list";
  readonly list: Deque;
}
export interface StreamValue extends Expiring {
  readonly type: "stream";
  entries: StreamEntry[];
  lastMs: number;
  lastSequence: number;
  /** Ever added. */
  added: number;
  maxDeletedId: string;
}
export interface StreamEntry {
  readonly ms: number;
  readonly sequence: number;
  readonly id: string;
  readonly fields: readonly string[];
}
export interface SetValue extends Expiring {
  readonly type: "set";
  readonly members: Set<string>;
}
export interface SortedSetValue extends Expiring {
  readonly type: "zset";
  readonly scores: Map<string, number>;
}

/**
 * The keys of a server. A list that comes and goes keeps its place: a Map goes past what was deleted
 * from it until it grows, and among ten thousand results each look for one list would pass its
 * thousand graves.
 */
export class Keyspace {
  readonly #places = new Map<string, Value | null>();
  #empty = 0;

  get size(): number {
    return this.#places.size - this.#empty;
  }

  get(key: string): Value | undefined {
    return this.#places.get(key) ?? undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  set(key: string, value: Value): void {
    if (this.#places.get(key) === null) this.#empty--;
    this.#places.set(key, value);
  }

  delete(key: string): boolean {
    if (!this.has(key)) return false;
    this.#places.set(key, null);
    if (++this.#empty > this.size + EMPTY_MAX) this.#forgetEmpty();
    return true;
  }

  *names(): Generator<string> {
    for (const [key] of this) yield key;
  }

  *[Symbol.iterator](): Generator<[string, Value]> {
    for (const [key, value] of this.#places) if (value !== null) yield [key, value];
  }

  #forgetEmpty(): void {
    for (const [key, value] of this.#places) if (value === null) this.#places.delete(key);
    this.#empty = 0;
  }
}

export type ReadonlyKeyspace = Omit<Keyspace, "set" | "delete">;

/** Places of keys that are gone, beside as many as there are keys. */
const EMPTY_MAX = 64;

/** The data of a server, and the command that is at work on it. */
export interface Core {
  keys: Keyspace;
  /** When the command began. Unix milliseconds, whole. */
  nowMs: number;
  /** The clock at this moment: what TIME says, and ids of streams, also in the middle of a script. */
  readMs(): number;
  /** A replica hides what has expired, but leaves the removal to its master. */
  isReplica: boolean;
  /** Effects of the past are replayed: nothing expires of itself. */
  isReplaying: boolean;
  /** The effects of the command that runs. */
  writes: Command[];
  publish(channel: string, text: string): number;
  /** Text of INFO. */
  info(): string;
}

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

/** The value of a key that has not expired. */
export function find(core: Core, key: string): Value | undefined {
  const value = core.keys.get(key);
  if (value === undefined || value.expiresMs === null) return value;
  if (core.isReplaying || core.nowMs <= value.expiresMs) return value;
  if (!core.isReplica) {
    core.keys.delete(key);
    core.writes.push(["DEL", key]);
  }
  return undefined;
}

/** @throws {ReplyError} WRONGTYPE */
export function findAs<Type extends Value["type"]>(
  core: Core,
  key: string,
  type: Type,
): Extract<Value, { type: Type }> | undefined {
  const value = find(core, key);
  if (value !== undefined && value.type !== type) throw new ReplyError(WRONG_TYPE);
  return value as Extract<Value, { type: Type }> | undefined;
}

/** Redis keeps no empty value but a stream. */
export function dropEmpty(core: Core, key: string, size: number): void {
  if (size === 0) core.keys.delete(key);
}

/** A list whose head is where LPUSH puts, in an array whose end is that head: both ends are cheap. */
export class Deque {
  #items: string[] = [];
  /** Where the tail stands; what is before it is gone. */
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  /** Counted from the head. */
  at(index: number): string | undefined {
    const place = this.#items.length - 1 - index;
    return place < this.#start ? undefined : this.#items[place];
  }

  pushHead(text: string): void {
    this.#items.push(text);
  }

  pushTail(text: string): void {
    if (this.#start > 0) this.#items[--this.#start] = text;
    else this.#items.unshift(text);
  }

  popHead(): string | undefined {
    return this.length === 0 ? undefined : this.#items.pop();
  }

  popTail(): string | undefined {
    if (this.length === 0) return undefined;
    const text = this.#items[this.#start++];
    if (this.#start > 256 && this.#start * 2 > this.#items.length) {
      this.#items.splice(0, this.#start);
      this.#start = 0;
    }
    return text;
  }

  /** Removes the item at `index` from the head. */
  removeAt(index: number): void {
    this.#items.splice(this.#items.length - 1 - index, 1);
  }

  /** From the head, both ends included. */
  slice(from: number, to: number): string[] {
    const items: string[] = [];
    for (let index = from; index <= to && index < this.length; index++) items.push(this.at(index)!);
    return items;
  }

  clone(): Deque {
    const copy = new Deque();
    copy.#items = this.#items.slice(this.#start);
    return copy;
  }
}

/** As deep as changes reach. */
export function cloneKeys(keys: ReadonlyKeyspace): Keyspace {
  const copy = new Keyspace();
  for (const [key, value] of keys) copy.set(key, cloneValue(value));
  return copy;
}

function cloneValue(value: Value): Value {
  switch (value.type) {
    case "string":
      return { ...value };
    case "hash":
      return { ...value, fields: new Map(value.fields) };
    case "list":
      return { ...value, list: value.list.clone() };
    case "stream":
      return { ...value, entries: [...value.entries] };
    case "set":
      return { ...value, members: new Set(value.members) };
    case "zset":
      return { ...value, scores: new Map(value.scores) };
  }
}
