/** Snapshots of so many tasks that they take several rows. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "@std/testing/bdd";
import { auditOf } from "../../src/audit/audit.ts";
import type { SnapshotState } from "../../src/audit/snapshot.ts";
import { snapshotOf } from "../../src/audit/snapshot.ts";
import { checksumOf, partsOf } from "../../src/audit/snapshot_parts.ts";
import { definitionOf } from "../../src/core/reconcile.ts";
import { LOG_CURSOR } from "../../src/cursor.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Journal } from "../../src/ports.ts";
import { revisionOf } from "../../src/task.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { newestSnapshot } from "../../src/retain/newest_snapshot.ts";
import { writeSnapshot } from "../../src/retain/write_snapshot.ts";
import { WHOLE } from "../support/audited.ts";
import { aTask, T0 } from "../support/build.ts";

const FENCE = 7;
const LARGE = stateOf(1_500);
const SMALL = stateOf(2);

describe("a snapshot", () => {
  let journal: ReturnType<typeof memoryJournal>;
  let nowMs: number;
  beforeEach(() => {
    nowMs = T0 + 1_000;
    journal = memoryJournal({ serverMs: () => nowMs, fence: FENCE });
  });

  async function write(
    state: SnapshotState,
    commit: Journal["commit"] = journal.commit,
  ): Promise<string> {
    nowMs += 1;
    const { snapshot: _, ...cursors } = await newestSnapshot(journal);
    const breathe = () => Promise.resolve(void nowMs++);
    const { signal } = new AbortController();
    const parts = { journal: { commit }, server: { nowMs: () => nowMs }, signal, breathe };
    return await writeSnapshot(parts, { cutId: `${T0}-9`, rows: 9, state }, cursors, FENCE);
  }

  /** Until its reply `count` is lost; `isWritten`: and not the call. */
  function losing(count: number, isWritten: boolean): Journal["commit"] {
    return async (...call) => {
      if (--count > 0) return await journal.commit(...call);
      if (isWritten) await journal.commit(...call);
      throw new JournalUnavailableError("away", "backoff");
    };
  }

  async function known(): Promise<SnapshotState> {
    const { snapshot } = await newestSnapshot(journal);
    assert.ok(snapshot !== null && typeof snapshot !== "string", String(snapshot));
    return snapshot.state;
  }

  it("of many tasks is in several rows, none of them large, and is read as it was", async () => {
    assert.equal(await write(LARGE), "written");
    const { entries } = journal.store;
    assert.ok(entries.length > 3, `${entries.length} rows`);
    for (const { fields } of entries) assert.ok(fields.join("").length < 210_000);
    assert.deepEqual(await known(), LARGE);
  });

  it("has each of its items made into text once to be cut and summed, and once in its row", async () => {
    let texts = 0;
    const counted = LARGE.plans.map((plan) => {
      const toJSON = () => (texts++, plan);
      return Object.defineProperty({ ...plan }, "toJSON", { value: toJSON });
    });
    assert.equal(await write({ ...LARGE, plans: counted }), "written");
    assert.ok(counted.length > 1_000);
    assert.equal(texts, 2 * counted.length);
    assert.deepEqual(await known(), LARGE);
  });

  it("of few is in one", async () => {
    assert.equal(await write(SMALL), "written");
    assert.equal(journal.store.entries.length, 1);
    assert.deepEqual(await known(), SMALL);
    assert.equal(journal.store.cursors.has(LOG_CURSOR.snapshotPart), false);
  });

  it("that was not brought to its end is passed over, and can be written again", async () => {
    await write(SMALL);
    const count = [...partsOf(LARGE)].length;
    for (const [last, isWritten] of [[2, true], [3, false], [count, false]] as const) {
      await assert.rejects(write(LARGE, losing(last, isWritten)), JournalUnavailableError);
      assert.deepEqual(await known(), SMALL);
    }
    assert.equal(await write(LARGE), "written");
    assert.deepEqual(await known(), LARGE);
    await assert.rejects(write(LARGE, losing(2, true)), JournalUnavailableError);
    assert.deepEqual(await known(), LARGE);
  });

  it("of which a row is gone, or another, is not used", async () => {
    await write(LARGE);
    const { entries } = journal.store;
    const all = [...entries];
    entries.splice(1, 1);
    assert.equal((await newestSnapshot(journal)).snapshot, "a row of it is missing");
    entries.splice(0, entries.length, ...all);
    const forged = all[1]!.fields.map((text) => text.replace("shop.0", "shop.x"));
    entries[1] = { ...all[1]!, fields: forged };
    assert.notDeepEqual(forged, all[1]!.fields);
    assert.match(String((await newestSnapshot(journal)).snapshot), /checksum does not fit/);
  });

  it("has one checksum, however it is cut", async () => {
    const head = { cutId: `${T0}-9`, rows: 9 };
    await write(LARGE);
    const { snapshot } = await newestSnapshot(journal);
    assert.ok(snapshot !== null && typeof snapshot !== "string");
    assert.equal(snapshot.checksum, checksumOf({ ...head, state: LARGE }));
    assert.notEqual(snapshot.checksum, checksumOf({ ...head, rows: 8, state: LARGE }));
  });
});

function stateOf(tasks: number): SnapshotState {
  const audit = auditOf(WHOLE);
  for (let index = 0; index < tasks; index++) {
    const task = aTask({ name: `shop.${String(index).padStart(5, "0")}` });
    audit.take({
      ...{ id: `${T0}-${index}`, version: 1, type: "task.known", task: task.name, dueMs: T0 },
      ...{ decidedMs: T0, fence: FENCE },
      detail: { revision: revisionOf(task), definition: definitionOf(task) },
    });
  }
  return JSON.parse(JSON.stringify(snapshotOf(audit.ledger)));
}
