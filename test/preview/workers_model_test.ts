import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { OpenFire } from "../../src/open_fire.ts";
import { memoryStore, pushMessage } from "../../src/memory/store.ts";
import type { Pool } from "../../src/preview/workers_model.ts";
import { crewOf } from "../../src/preview/workers_model.ts";

const RUN_MS = 10;

/** Fires of tasks that are called as their list, with a number behind it. */
function aFire(list: string, number: number, more: Partial<OpenFire> = {}): OpenFire {
  return {
    ...{ task: `${list}${number}`, dueMs: number, attempt: 1, list, fence: 1, publishedMs: 0 },
    ...{ expiresMs: null, takeByMs: 1e9, takeWithinMs: 1e9, giveUpMs: 1e9 },
    ...{ state: "queued", isOverdue: false, redeliveries: 0, ...more },
  };
}

function aCrew(pools: readonly Pool[]) {
  const store = memoryStore(() => 0);
  const crew = crewOf(store, { pools, runMs: () => RUN_MS, otherMs: () => 3 });
  return {
    ...{ crew, store },
    /** @param queue of the list */
    push(list: string, queue: string, count: number, nowMs = 0) {
      for (let number = 1; number <= count; number++) {
        pushMessage(store, list, "{}");
        crew.push(aFire(list, number), queue, nowMs);
      }
    },
    /** What ends, in order, as `name@time`. */
    ends(): string[] {
      const all: string[] = [];
      for (let atMs = crew.nextMs(); atMs !== null; atMs = crew.nextMs()) {
        const end = crew.take(atMs);
        if (end !== null) all.push(`${end.open.task}@${end.atMs}`);
      }
      return all;
    },
  };
}

describe("crewOf()", () => {
  it("runs what comes at once where nobody is known to serve a queue", () => {
    const { crew, push, ends } = aCrew([{ hands: 1, queues: ["other"] }]);
    push("a", "a", 3);
    assert.deepEqual(ends(), ["a1@10", "a2@10", "a3@10"]);
    assert.equal(crew.depths.size, 0);
  });

  it("lets the queues of one worker wait for each other, and take turns", () => {
    const { crew, push, ends, store } = aCrew([{ hands: 1, queues: ["a", "b"] }]);
    push("a", "a", 3);
    push("b", "b", 2);
    assert.deepEqual(ends(), ["a1@10", "b1@20", "a2@30", "b2@40", "a3@50"]);
    assert.deepEqual([...crew.depths], [["a", 2], ["b", 2]]);
    assert.deepEqual([...store.lists.values()].flat(), []);
  });

  it("adds up the workers of a queue, and takes the one that has most hands free", () => {
    const { push, ends } = aCrew([{ hands: 1, queues: ["a", "b"] }, { hands: 2, queues: ["a"] }]);
    push("a", "a", 2);
    push("b", "b", 1);
    push("a", "a", 1);
    // The second worker took one of a, the first the other; so b waited.
    assert.deepEqual(ends(), ["a1@10", "a2@10", "a1@10", "b1@20"]);
  });

  it("serves the first priority of all queues of a worker before the next one", () => {
    const { push, ends } = aCrew([{ hands: 1, queues: ["long", "b"] }]);
    push("b", "b", 1);
    push("long\x06\x163", "long", 1);
    push("b", "b", 1);
    push("long", "long", 1);
    assert.deepEqual(ends().map((text) => text.split("@")[0]), [
      ...["b1", "long1", "b1", "long\x06\x1631"],
    ]);
  });

  it("begins with what waits, and with what runs already, though that is more than it has hands", () => {
    const { crew, push, ends, store } = aCrew([{ hands: 2, queues: ["a"] }]);
    for (const number of [7, 8, 9]) crew.run(aFire("a", number), "a", 0);
    crew.fill({ list: "a", queue: "a", count: 3 }, 0);
    push("a", "a", 1);
    assert.equal(store.lists.get("a")!.length, 4);
    // Three of others, for 3 ms each, go before it: two at 10, one at 13, and it beside that one.
    assert.deepEqual(ends(), ["a7@10", "a8@10", "a9@10", "a1@23"]);
    assert.equal(crew.depths.get("a"), 4);
  });

  it("drains others that wait though nothing is published", () => {
    const { crew, store } = aCrew([{ hands: 1, queues: ["a"] }]);
    crew.fill({ list: "a", queue: "a", count: 3 }, 0);
    assert.equal(crew.take(6), null);
    assert.deepEqual([store.lists.get("a"), crew.nextMs()], [[], 9]);
  });

  it("takes the right one out of its list when it has expired", () => {
    const { crew, store } = aCrew([{ hands: 1, queues: ["a"] }]);
    crew.run(aFire("a", 9), "a", 0);
    crew.fill({ list: "a", queue: "a", count: 2 }, 0);
    for (const [number, expiresMs] of [[1, null], [2, 5], [3, null]] as const) {
      pushMessage(store, "a", String(number));
      crew.push(aFire("a", number, { expiresMs }), "a", 0);
    }
    const atMs = crew.nextRipeMs()!;
    assert.deepEqual(crew.expire(atMs).map(({ open, by }) => [open.task, by]), [["a2", "beat"]]);
    assert.deepEqual(store.lists.get("a"), ["3", "1", "{}", "{}"]);
  });
});
