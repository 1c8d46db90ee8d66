/** What is known of rows that are gone, as servers of different age tell it. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { Redis } from "ioredis";
import type { Row } from "../../src/event.ts";
import { appendRow, memoryStore } from "../../src/memory/store.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { goneRows } from "../../src/redis/read.ts";
import { aRow, T0 } from "../support/build.ts";

/** A server that answers as Redis 6.2 does: without counting what was ever written. */
function old(rows: readonly Row[]): Redis {
  const store = memoryStore(() => T0);
  for (const row of rows) appendRow(store, T0, row, 1);
  const entries = store.entries.map(({ id, fields }) => [id, [...fields]]);
  return {
    xrange: () => Promise.resolve(entries.slice(0, 1)),
    xrevrange: () => Promise.resolve(entries.slice(-1)),
    call: () => Promise.resolve(["length", entries.length, "last-generated-id", "1-1"]),
  } as unknown as Redis;
}

describe("goneRows()", () => {
  const started: Row = {
    ...{ type: "term.started", task: "", dueMs: null, decidedMs: T0 },
    detail: { owner: "a", epoch: "e", build: "b" },
  };
  const cases: [name: string, rows: Row[], count: number][] = [
    ["nothing of an empty journal", [], 0],
    ["nothing of one that begins with a term", [started, aRow()], 0],
    ["some rows of one that begins with another row", [aRow()], 1],
  ];
  for (const [name, rows, count] of cases) {
    it(`knows of ${name}, on Redis 6.2`, async () => {
      const gone = await goneRows(old(rows), keysOf("beat", ""));
      assert.deepEqual(gone, { count, deletedId: "0-0" });
    });
  }
});
