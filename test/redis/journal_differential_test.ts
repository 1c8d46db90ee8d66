/**
 * The same random operations on memory and on a real Redis: equal answers, equal ends. Without this,
 * what is proved over memory says nothing of the scripts.
 */

import assert from "node:assert/strict";
import type { Redis } from "ioredis";
import fc from "fast-check";
import { after, before, it } from "@std/testing/bdd";
import type { OpenFire } from "../../src/open_fire.ts";
import { compareIds } from "../../src/event.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryLease } from "../../src/memory/lease.ts";
import { removeMessage } from "../../src/memory/store.ts";
import type { Journal, LastId, Lease, Settlement, Step } from "../../src/ports.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import type { Dump } from "../support/dump.ts";
import { memoryDump, redisDump, withoutIds } from "../support/dump.ts";
import { needs } from "../support/needs.ts";
import type { RedisServer } from "../support/redis_server.ts";
import { startRedis } from "../support/redis_server.ts";
import { cursorAt, openAt, publishStep, settlementOf, skipStep, T0 } from "../support/steps.ts";

const RUNS = 300;
const OPERATIONS_MAX = 40;
/** Far beyond any server's time. */
const NEVER_MS = 9_000_000_000_000;

/** A world small enough that random steps meet: few tasks, due times, revisions and lists. */
const name = fc.constantFrom("a", "b.c");
/** `odd` has a cursor that Beat did not write. */
const task = fc.oneof(name, fc.constantFrom("@term", "odd"));
const ODD = "nonsense";
const due = fc.integer({ min: 0, max: 5 }).map((n) => T0 + n);
const revision = fc.constantFrom("r1", "r2");
const list = fc.constantFrom("celery", "slow\u0006\u00169", "spoiled");
const cursor = fc.tuple(due, revision).map(([at, under]) => cursorAt(at, under));
const next = fc.oneof({ weight: 1, arbitrary: fc.constant("") }, { weight: 6, arbitrary: cursor });
const expect = fc.oneof(next, fc.constantFrom(ODD, "12", "-7 r1", "7 "));
const openFire = fc.record({
  task: name,
  dueMs: due,
  attempt: fc.integer({ min: 0, max: 1 }),
  list,
  state: fc.constantFrom("queued", "taken", "acked"),
  isOverdue: fc.boolean(),
  expiresMs: fc.constantFrom(null, T0 + 60_000),
}).map(({ dueMs, ...rest }) => openAt(dueMs, { ...rest, publishedMs: T0 }));

const step: fc.Arbitrary<Step> = fc.record({
  task,
  expect,
  next,
  dueMs: due,
  notBeforeMs: fc.constantFrom(0, 0, 0, NEVER_MS),
  open: fc.option(openFire),
}).filter(({ expect, next }) => expect !== next).map(({ dueMs, open, ...rest }) => {
  const base = open === null ? skipStep(null, dueMs) : publishStep(null, dueMs);
  return { ...base, ...rest, publish: open === null ? null : { message: `m${dueMs}`, open } };
});

/** Placeholders are filled from the state, so that most of them fit. */
type Operation =
  | { kind: "commit"; steps: Step[]; fenceOffset: number; isFitted: boolean; isRepeated: boolean }
  | { kind: "settle"; picks: Pick[]; fenceOffset: number; isRepeated: boolean }
  | { kind: "pop"; list: string }
  | { kind: "take" | "renew" | "release"; owner: string; offset: number }
  | { kind: "reload"; tasks: string[]; openIds: string[] };

interface Pick {
  readonly index: number;
  readonly stray: OpenFire;
  readonly isStray: boolean;
  readonly state: OpenFire["state"] | null;
  readonly remove: string | null;
  readonly rows: number;
}

const fenceOffset = fc.constantFrom(0, 0, 0, 0, 0, 1, -1);
const pick: fc.Arbitrary<Pick> = fc.record({
  index: fc.nat(20),
  stray: openFire,
  isStray: fc.constantFrom(false, false, false, true),
  state: fc.constantFrom("taken" as const, "acked" as const, null),
  remove: fc.option(fc.constantFrom("celery", "spoiled"), { freq: 2 }),
  rows: fc.integer({ min: 1, max: 3 }),
});
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("commit" as const),
      steps: fc.array(step, { maxLength: 6 }),
      fenceOffset,
      isFitted: fc.constantFrom(true, true, false),
      isRepeated: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      picks: fc.array(pick, { maxLength: 4 }),
      fenceOffset,
      isRepeated: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("pop" as const), list }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("take" as const, "renew" as const, "release" as const),
      owner: fc.constantFrom("me", "you"),
      offset: fc.integer({ min: -1, max: 2 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reload" as const),
      tasks: fc.array(fc.constantFrom("a", "b.c", "x", "odd"), { maxLength: 3 }),
      openIds: fc.array(due.map((at) => `a@${at}`), { maxLength: 3 }),
    }),
  },
);

needs("redis").describe("commit.lua, settle.lua and lease.lua", () => {
  let server: RedisServer;
  let client: Redis;
  before(async () => {
    server = await startRedis();
    client = server.client();
  });
  after(() => server.stop());

  it("answer and write as memory does", async () => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 5, maxLength: OPERATIONS_MAX }),
        async (operations) => {
          const [redis, memory] = [await redisSide(client), memorySide()];
          await redis.lease.take({ owner: "me", ttlMs: 60_000, minFence: 9e15, epoch: "e" });
          await memory.lease.take({ owner: "me", ttlMs: 60_000, minFence: 9e15, epoch: "e" });
          for (const each of operations) {
            const open = (await memory.journal.reload([], [...memory.openIds()])).open;
            const state = { cursors: memory.cursors(), open, fence: memory.fence() };
            const run = runOf(each, state);
            const times = "isRepeated" in each && each.isRepeated ? 2 : 1;
            for (let time = 0; time < times; time++) {
              const [got, wanted] = [await settled(run(redis)), await settled(run(memory))];
              assert.deepEqual(got, wanted);
              count(seen, wanted);
            }
          }
          assert.deepEqual(withoutIds(await redis.dump()), withoutIds(await memory.dump()));
        },
      ),
      { numRuns: RUNS },
    );
    // Random operations prove nothing of an answer that they never reach.
    for (const answer of ANSWERS) {
      assert.ok(
        (seen.get(answer) ?? 0) >= 10,
        `expected "${answer}" often, got ${seen.get(answer)}`,
      );
    }
  });
});

const ANSWERS = [
  ...["committed", "duplicate", "gap", "early", "revision", "wrongtype", "fenced"],
  ...["settled", "settle duplicate", "raced", "settle wrongtype", "taken", "held"],
];

interface Side {
  readonly journal: Journal;
  readonly lease: Lease;
  pop(list: string): Promise<string | null>;
  dump(): Promise<Dump>;
}

async function redisSide(client: Redis): Promise<Side> {
  await client.flushall();
  const keys = keysOf("beat", "p.");
  await client.set(keys.list("spoiled"), "a string");
  await client.hset(keys.cursors, "odd", ODD);
  return {
    journal: redisJournal(client, keys),
    lease: redisLease(client, keys),
    pop: (list) => list === "spoiled" ? Promise.resolve(null) : client.rpop(keys.list(list)),
    dump: () => redisDump(client, keys),
  };
}

function memorySide() {
  const journal = memoryJournal({ serverMs: () => T0 + 1_000_000 });
  const { store } = journal;
  store.foreignLists.add("spoiled");
  store.cursors.set("odd", ODD);
  return {
    journal,
    lease: memoryLease(journal),
    pop(list: string) {
      const message = store.lists.get(list)?.at(-1) ?? null;
      if (message !== null) removeMessage(store, { list, bytes: message, reach: 1 });
      return Promise.resolve(message);
    },
    dump: () => Promise.resolve(memoryDump(store)),
    cursors: () => new Map(store.cursors),
    openIds: () => [...store.open.keys()],
    fence: () => store.fence ?? 0,
  };
}

interface State {
  readonly cursors: Map<string, string>;
  readonly open: readonly OpenFire[];
  readonly fence: number;
}

/** The operation as a call that goes to both sides with the same arguments. */
function runOf(operation: Operation, { cursors, open, fence }: State) {
  switch (operation.kind) {
    case "commit": {
      const steps = operation.isFitted ? fitted(operation.steps, cursors) : operation.steps;
      return (side: Side) => side.journal.commit(steps, fence + operation.fenceOffset);
    }
    case "settle": {
      const settlements = operation.picks.map((each) => settlementFor(each, open));
      return (side: Side) => side.journal.settle(settlements, fence + operation.fenceOffset);
    }
    case "pop":
      return (side: Side) => side.pop(operation.list);
    case "take":
      return (side: Side) =>
        side.lease.take({
          owner: operation.owner,
          ttlMs: 60_000,
          minFence: Math.max(0, fence + operation.offset - 1),
          epoch: `epoch ${operation.offset}`,
        });
    case "renew": {
      const { owner, offset } = operation;
      return (side: Side) => side.lease.renew({ owner, fence: fence + offset, ttlMs: 60_000 });
    }
    case "release":
      return (side: Side) => side.lease.release(operation.owner);
    case "reload":
      return (side: Side) => side.journal.reload(operation.tasks, operation.openIds);
  }
}

/** Steps that expect what the steps before them leave. */
function fitted(steps: readonly Step[], cursors: Map<string, string>): Step[] {
  return steps.flatMap((each) => {
    const expect = cursors.get(each.task) ?? "";
    if (expect === each.next) return [];
    if (each.notBeforeMs === 0) cursors.set(each.task, each.next);
    return [{ ...each, expect }];
  });
}

function settlementFor(each: Pick, open: readonly OpenFire[]): Settlement {
  const chosen = each.isStray ? each.stray : open[each.index % (open.length || 1)] ?? each.stray;
  const base = settlementOf(chosen);
  const next = each.state === null ? null : { ...chosen, state: each.state };
  const remove = each.remove === null
    ? null
    : { list: each.remove, bytes: `m${chosen.dueMs}`, reach: 100 };
  return { ...base, next, remove, rows: Array.from({ length: each.rows }, () => base.rows[0]!) };
}

/** An answer without what differs between two servers: their time. */
async function settled(answer: Promise<unknown>): Promise<unknown> {
  // Cursors of nonsense cannot be loaded on either side; each says so in its own words.
  const value = await answer.catch(() => "rejected");
  if (typeof value === "number") return "a time";
  if (value === null || typeof value !== "object") return value;
  const { serverMs: _serverMs, leftMs: _leftMs, lastId, ...rest } = value as
    & Record<string, unknown>
    & { lastId?: LastId | string };
  if (typeof lastId !== "object") return { ...rest, hasRows: lastId !== "0-0" };
  const { before, after } = lastId;
  return { ...rest, hadRows: before !== "0-0", hasNewRows: compareIds(after, before) > 0 };
}

function count(seen: Map<string, number>, answer: unknown): void {
  if (answer === null || typeof answer !== "object") return;
  const { kind, outcomes } = answer as { kind?: string; outcomes?: (string | { kind: string })[] };
  const names = (outcomes ?? []).map((each) =>
    typeof each !== "string" ? each.kind : seenAs.get(each) ?? each
  );
  for (const name of kind === undefined ? names : [...names, kind]) {
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
}

const seenAs = new Map([["duplicate", "settle duplicate"], ["wrongtype", "settle wrongtype"]]);
