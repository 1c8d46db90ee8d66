/** Looks at Redis after each step that may write, and holds what it finds against the invariants. */

import type { Account } from "./account.ts";
import type { Draw } from "./draws.ts";
import type { LedgerRow, Push } from "./ledger.ts";
import { compareStreamIds, ledgerRow, publishName, readMessage, saysSame } from "./ledger.ts";
import type { QueueEye } from "./queue_eye.ts";
import type { ReadonlyKeyspace, StreamEntry } from "./redis_values.ts";
import type { Command, Reply } from "./redis_words.ts";
import { ReplyError } from "./redis_words.ts";

/** An invariant that did not hold. */
export interface Finding {
  /** `I1` to `I14`. */
  readonly invariant: string;
  readonly what: string;
  readonly step: number;
  /** Milliseconds since the start. */
  readonly atMs: number;
}

/** What the watcher needs of a server. */
export interface Store {
  readonly keys: ReadonlyKeyspace;
  /** The server's clock at the last command. Unix milliseconds. */
  readonly nowMs: number;
}

export interface WatcherParts {
  readonly namespace: string;
  /** Lists that messages may be pushed to. */
  readonly lists: readonly string[];
  readonly account: Account;
  readonly draw: Draw;
  readonly eye: Pick<QueueEye, "note">;
  now(): number;
  report(invariant: string, what: string): void;
  tell(what: () => string): void;
}

/** One fire's message and rows, as they stand in the surviving history. */
export interface Watcher {
  /** Around each command that a replica sends. `execute` runs it. */
  around(sender: string, command: Command, store: () => Store, execute: () => Reply): Reply;
  /** Around each command that a server takes which was the master: nobody will see what it writes. */
  aside(sender: string, store: () => Store, execute: () => Reply): Reply;
  /** Something other than a command of a replica changed the server: a restart, a failover, FLUSHALL. */
  cut(store: Store): void;
  /** The holder by the last acquisition. */
  readonly holder: string | null;
}

interface Before {
  readonly added: number;
  readonly lengths: readonly number[];
  readonly fence: string;
}

/** What one script may publish, and how many scripts may stand in one transaction. */
const PUSHES_MAX = 200;
const STAGED_MAX = 5;

/**
 * Commands of one process that may be refused within a second: what the network held for a minute arrives
 * at once, and a loop that nothing slows down sends a thousand.
 */
const REFUSED_MAX = 300;

/** Terms of one replica that may begin within a second: what fails is tried five times in one. */
const TAKINGS_MAX = 6;

export function watcherOf(parts: WatcherParts): Watcher {
  const { namespace, lists, account, draw, report, tell } = parts;
  const key = (name: string) => `${namespace}:${name}`;
  const [fenceKey, journalKey, leaseKey] = [key("fence"), key("journal"), key("lease")];
  let holder: string | null = null;
  const refused = new Map<string, { readonly second: number; count: number }>();
  let takings: { readonly owner: string; readonly atMs: number }[] = [];
  /** Whom each fence was given to, in any history. */
  const given = new Map<string, string>();

  const textOf = (store: Store, name: string) => {
    const value = store.keys.get(name);
    return value?.type === "string" ? value.text : "";
  };
  const lengthOf = (store: Store, name: string) => {
    const value = store.keys.get(name);
    return value?.type === "list" ? value.list.length : 0;
  };
  const stream = (store: Store) => {
    const value = store.keys.get(journalKey);
    return value?.type === "stream" ? value : null;
  };
  const look = (store: Store): Before => ({
    added: stream(store)?.added ?? 0,
    lengths: lists.map((list) => lengthOf(store, list)),
    fence: textOf(store, fenceKey),
  });

  function newRows(store: Store, before: Before): LedgerRow[] {
    const journal = stream(store);
    const count = (journal?.added ?? 0) - before.added;
    if (journal === null || count <= 0) return [];
    const entries: readonly StreamEntry[] = journal.entries.slice(-count);
    return entries.map((entry) => ledgerRow(entry, parts.now()));
  }

  function newPushes(store: Store, before: Before, rows: readonly LedgerRow[]): Push[] {
    const published = new Map<string, LedgerRow>();
    for (const row of rows) {
      if (row.type === "fire.published") published.set(publishName(row), row);
    }
    const pushes: Push[] = [];
    for (const [index, name] of lists.entries()) {
      const value = store.keys.get(name);
      const grown = lengthOf(store, name) - before.lengths[index]!;
      if (value?.type !== "list" || grown <= 0) continue;
      for (const text of value.list.slice(0, grown - 1)) {
        const message = readMessage(text);
        const row = message === null ? undefined : published.get(message.fireId);
        if (message === null || row === undefined) {
          report("I2", `a message without a row in ${name}: ${message?.fireId ?? text}`);
          continue;
        }
        published.delete(message.fireId);
        pushes.push({ ...message, row, list: name });
      }
    }
    for (const fire of published.keys()) report("I2", `a row without a message: ${fire}`);
    return pushes;
  }

  /** Of a call of commit or settle. */
  function afterWrite(sender: string, store: Store, before: Before, scripts: number): void {
    const rows = newRows(store, before);
    if (rows.length > 0 && holder !== null && sender !== holder) {
      report("I6", `${sender} wrote while ${holder} held the lease with fence ${before.fence}`);
    }
    for (const row of rows) {
      if (String(row.fence) !== before.fence) {
        report("I6", `a row of fence ${row.fence} was taken under fence ${before.fence}`);
      }
    }
    const pushes = newPushes(store, before, rows);
    if (pushes.length > PUSHES_MAX * scripts) {
      report("I10", `${pushes.length} fires were published in one piece`);
    }
    account.take(rows, pushes, store);
  }

  function afterLease(command: Command, store: Store, before: string): void {
    const fence = textOf(store, fenceKey);
    if (fence === before) return;
    const lease = textOf(store, leaseKey);
    const owner = lease.slice(0, lease.lastIndexOf(" "));
    if (Number(fence) <= Number(before || 0)) {
      report("I6", `the fence fell from ${before} to ${fence} (${command[6]})`);
    }
    const known = Number(command[9]);
    if (Number(fence) <= known) {
      report("I6", `${owner} was given fence ${fence}, and had seen ${known}`);
    }
    const other = given.get(fence);
    if (other !== undefined) report("I6", `fence ${fence} was given to ${owner}, after ${other}`);
    given.set(fence, owner);
    tell(() => `${owner} leads with fence ${fence}`);
    noteTaking(owner);
    holder = owner;
  }

  /** A replica that takes the lease again and again is in a loop that nothing slows down. */
  function noteTaking(owner: string): void {
    const now = parts.now();
    takings = takings.filter((each) => each.owner === owner && each.atMs > now - 1_000);
    takings.push({ owner, atMs: now });
    if (takings.length > TAKINGS_MAX) report("I9", `${owner} began ${takings.length} terms in 1 s`);
  }

  /** Who is refused waits before the next try. */
  function noteRefused(sender: string, reply: Reply): Reply {
    if (!(reply instanceof ReplyError)) return reply;
    const second = Math.floor(parts.now() / 1_000);
    let known = refused.get(sender);
    if (known?.second !== second) refused.set(sender, known = { second, count: 0 });
    if (++known.count === REFUSED_MAX) {
      report("I9", `${sender} was refused ${REFUSED_MAX} times in 1 s: ${reply.message}`);
    }
    return reply;
  }

  /** The same call once more: the network may do that at any time. */
  function again(store: () => Store, execute: () => Reply): void {
    const before = look(store());
    execute();
    const after = look(store());
    if (JSON.stringify(before) !== JSON.stringify(after)) {
      report("I14", `a call that came twice changed something: ${JSON.stringify([before, after])}`);
    }
  }

  return {
    get holder() {
      return holder;
    },
    around(sender, command, store, execute) {
      const verb = command[0];
      const first = command[3];
      const isLease = first === leaseKey;
      const isWrite = first === fenceKey && Number(command[2]) >= 3;
      const isScript = (verb === "EVALSHA" || verb === "EVAL") && (isLease || isWrite);
      const run = () => noteRefused(sender, execute());
      if (!isScript && verb !== "EXEC") return run();
      if (isScript && isLease) {
        const fence = textOf(store(), fenceKey);
        const reply = run();
        afterLease(command, store(), fence);
        return reply;
      }
      const before = look(store());
      if (!isScript) parts.eye.note(parts.now(), before.lengths);
      const reply = run();
      if (reply === "QUEUED") return reply;
      afterWrite(sender, store(), before, isScript ? 1 : STAGED_MAX);
      if (isScript && draw.chance(0.03)) again(store, execute);
      return reply;
    },
    aside(sender, store, execute) {
      const before = stream(store())?.added ?? 0;
      const reply = execute();
      const count = (stream(store())?.added ?? 0) - before;
      if (count > 0 && sender === holder) {
        tell(() => `${count} rows of ${sender} are lost: a server took them that leads no more`);
        account.noteLost();
      }
      return reply;
    },
    cut(store) {
      const entries = stream(store)?.entries ?? [];
      const standing = new Map(entries.map((entry) => [entry.id, entry]));
      // By what they say, too: after a step back of the clock, another row may be given a lost one's id.
      const isThere = (row: LedgerRow) => {
        const entry = standing.get(row.id);
        return entry !== undefined && saysSame(row, entry);
      };
      const first = entries[0]?.id ?? null;
      // What stood before the first entry was trimmed; it counts as long as its history does.
      const isTrimmed = ({ id, isLost }: LedgerRow) =>
        first !== null && !isLost && compareStreamIds(id, first) < 0;
      account.cut((row) => isThere(row) || isTrimmed(row), store, parts.now());
      const lease = textOf(store, leaseKey);
      if (lease !== "") holder = lease.slice(0, lease.lastIndexOf(" "));
    },
  };
}
