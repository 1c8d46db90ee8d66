/** What every journal must do; run against memory and against Redis. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import { LOG_CURSOR } from "../../src/cursor.ts";
import type { JournalRow } from "../../src/event.ts";
import { compareIds } from "../../src/event.ts";
import type { Committed, Journal, Lease, ReadRange, Settled, Step } from "../../src/ports.ts";
import { BATCH_MAX } from "../../src/ports.ts";
import type { Dump } from "../support/dump.ts";
import { cursorAt, openAt, publishStep, settlementOf, skipStep, T0 } from "../support/steps.ts";

/** A journal of its own for one test, and what a test does behind its back. */
export interface JournalRig {
  readonly journal: Journal;
  readonly lease: Lease;
  dump(): Promise<Dump>;
  /** A worker takes the oldest message. */
  pop(list: string): Promise<string | null>;
  /** Somebody puts a value of another type under a list's key. */
  spoilList(list: string): Promise<void>;
  /** Somebody appends an entry that is no row. */
  appendForeign(): Promise<void>;
  stop(): Promise<void>;
}

/** Above the time, so that the lease gives it just so. */
const FENCE = 9e15;
const EVERYTHING: ReadRange = { from: "-", to: "+" };

export function describeJournal(name: string, open: () => Promise<JournalRig>): void {
  describe(name, () => {
    let rig: JournalRig;
    let journal: Journal;

    beforeEach(async () => {
      rig = await open();
      journal = rig.journal;
      await rig.lease.take({ owner: "me", ttlMs: 60_000, minFence: FENCE - 1, epoch: "epoch-1" });
    });
    afterEach(() => rig.stop());

    const commit = async (...steps: Step[]) => kindsOf(await journal.commit(steps, FENCE));

    it("commit() and settle() say which row is the newest, before and after", async () => {
      const idsOf = async (reply: Promise<Committed | Settled>) => {
        const told = await reply;
        assert.ok(told.kind === "done");
        return told.lastId;
      };
      const first = await idsOf(journal.commit([publishStep(null, T0)], FENCE));
      assert.equal(first.before, "0-0");
      assert.equal((await rig.dump()).entries.at(-1)?.id, first.after);
      assert.equal((await journal.load()).lastId, first.after);
      const second = await idsOf(journal.settle([settlementOf(openAt(T0))], FENCE));
      assert.equal(second.before, first.after);
      assert.ok(compareIds(second.after, second.before) > 0);
      const third = await idsOf(journal.commit([publishStep(null, T0)], FENCE));
      assert.deepEqual(third, { before: second.after, after: second.after });
    });

    describe("commit()", () => {
      it("takes message, row, cursor and open fire together", async () => {
        assert.deepEqual(await commit(publishStep(null, T0)), ["committed"]);

        const dump = await rig.dump();
        assert.deepEqual(dump.lists, { celery: [`report@${T0}`] });
        assert.deepEqual(dump.cursors, { report: cursorAt(T0) });
        assert.deepEqual(Object.keys(dump.open), [`report@${T0}`]);
        assert.deepEqual(dump.entries.map(({ fields }) => fields), [
          ["v", "1", "t", "p", "k", "report", "d", `${T0}`, "m", "5", "f", `${FENCE}`, "p", ""],
        ]);
      });

      it("changes nothing when the same call is sent again", async () => {
        const steps = [
          publishStep(null, T0),
          publishStep(T0, T0 + 1000),
          skipStep(null, T0, { task: "other" }),
        ];
        assert.deepEqual(await commit(...steps), ["committed", "committed", "committed"]);
        const before = await rig.dump();
        assert.deepEqual(await commit(...steps), ["duplicate", "duplicate", "duplicate"]);
        assert.deepEqual(await rig.dump(), before);
      });

      it("serves messages of one list in the order of the steps", async () => {
        await commit(
          publishStep(null, T0),
          publishStep(null, T0, { task: "b" }),
          publishStep(null, T0, { task: "c", list: "slow" }),
          publishStep(T0, T0 + 1),
        );
        const order = [];
        for (let each = await rig.pop("celery"); each !== null; each = await rig.pop("celery")) {
          order.push(each);
        }
        assert.deepEqual(order, [`report@${T0}`, `b@${T0}`, `report@${T0 + 1}`]);
        assert.equal(await rig.pop("slow"), `c@${T0}`);
      });

      it("chains steps of one task, and stops the chain where one is refused", async () => {
        const { serverMs } = await journal.load();
        const soon = serverMs + 60_000;
        assert.deepEqual(
          await commit(
            skipStep(null, T0),
            publishStep(T0, T0 + 1),
            publishStep(T0 + 1, soon),
            publishStep(soon, soon + 1, { notBeforeMs: 0 }),
          ),
          ["committed", "committed", "early", "gap"],
        );
        assert.deepEqual((await rig.dump()).cursors, { report: cursorAt(T0 + 1) });
      });

      it("answers early until the server's time has come, and stale when it has passed", async () => {
        const { serverMs } = await journal.load();
        const step = publishStep(null, T0, { notBeforeMs: serverMs, notAfterMs: serverMs + 9e4 });
        const before = await rig.dump();
        const wrong = {
          early: { notBeforeMs: serverMs + 50_000 },
          stale: { notAfterMs: serverMs - 1 },
        };
        for (const [kind, own] of Object.entries(wrong)) {
          const reply = await journal.commit([{ ...step, ...own }], FENCE);
          assert.deepEqual(kindsOf(reply), [kind]);
          assert.ok(reply.kind === "done" && reply.serverMs >= serverMs);
          assert.deepEqual(await rig.dump(), before);
        }
        assert.deepEqual(await commit(step), ["committed"]);
      });

      it("answers fenced, and writes nothing, under any other fence", async () => {
        await commit(publishStep(null, T0));
        const before = await rig.dump();
        for (const fence of [FENCE - 1, FENCE + 1]) {
          const reply = await journal.commit([publishStep(T0, T0 + 1)], fence);
          assert.equal(reply.kind, "fenced");
        }
        assert.deepEqual(await rig.dump(), before);
      });

      /** Stored: T0 + 1000 under the usual revision. */
      const others: [string, Partial<Step>, string][] = [
        ["at the step's end", { expect: cursorAt(T0), next: cursorAt(T0 + 1000) }, "duplicate"],
        ["past it", { expect: cursorAt(T0), next: cursorAt(T0 + 500) }, "duplicate"],
        ["not there yet", { expect: cursorAt(T0 + 2000), next: cursorAt(T0 + 3000) }, "gap"],
        ["short of it", { expect: cursorAt(T0), next: cursorAt(T0 + 3000) }, "gap"],
        ["not expected at all", { expect: "", next: cursorAt(T0 + 3000) }, "gap"],
        ["not expected, and past", { expect: "", next: cursorAt(T0) }, "duplicate"],
        ["another that retiring expects", { expect: cursorAt(T0), next: "" }, "gap"],
        ["under a revision that the step leaves", {
          expect: cursorAt(T0),
          next: cursorAt(T0 + 3000, "new"),
        }, "gap"],
        ["under the revision that the step enters", {
          expect: cursorAt(T0, "old"),
          next: cursorAt(T0 + 500),
        }, "duplicate"],
        ["under a revision that the step does not know", {
          expect: cursorAt(T0, "old"),
          next: cursorAt(T0 + 3000, "old"),
        }, "revision"],
        ["under another revision, at the same due time", {
          expect: cursorAt(T0, "old"),
          next: cursorAt(T0 + 1000, "old"),
        }, "revision"],
        ["under a revision that retiring does not know", {
          expect: cursorAt(T0 + 1000, "old"),
          next: "",
        }, "revision"],
        ["of a task thought to be new, under another revision", {
          expect: "",
          next: cursorAt(T0 + 3000, "new"),
        }, "revision"],
      ];
      for (const [where, step, outcome] of others) {
        it(`answers ${outcome} to a cursor ${where}`, async () => {
          await commit(publishStep(null, T0 + 1000));
          const before = await rig.dump();
          assert.deepEqual(await commit({ ...publishStep(null, T0), ...step }), [outcome]);
          assert.deepEqual(await rig.dump(), before);
        });
      }

      it("answers gap where a cursor is expected and there is none", async () => {
        assert.deepEqual(await commit(publishStep(T0, T0 + 1)), ["gap"]);
      });

      it("changes a revision, and refuses steps of the old one", async () => {
        const changed = skipStep(T0, T0, { next: cursorAt(T0, "new") });
        assert.deepEqual(await commit(publishStep(null, T0), changed), ["committed", "committed"]);
        assert.deepEqual(await commit(publishStep(T0, T0 + 1)), ["revision"]);
        assert.deepEqual(await commit(changed), ["duplicate"]);
      });

      it("removes the cursor of a retired task, once", async () => {
        const retire = skipStep(T0, T0, {
          next: "",
          row: { type: "task.retired", task: "report", dueMs: null, decidedMs: T0, detail: {} },
        });
        await commit(skipStep(null, T0));
        assert.deepEqual(await commit(retire), ["committed"]);
        const before = await rig.dump();
        assert.deepEqual(before.cursors, {});
        assert.deepEqual(await commit(retire), ["duplicate"]);
        assert.deepEqual(await rig.dump(), before);
        assert.deepEqual(await commit(publishStep(null, T0 + 1)), ["committed"]);
      });

      it("retires a task and knows it again within one batch", async () => {
        await commit(skipStep(null, T0));
        const again = [skipStep(T0, T0, { next: "" }), skipStep(null, T0 + 1)];
        assert.deepEqual(await commit(...again), ["committed", "committed"]);
        assert.deepEqual((await rig.dump()).cursors, { report: cursorAt(T0 + 1) });
      });

      it("numbers rows that stand outside any schedule by a log cursor", async () => {
        const started = {
          ...skipStep(null, 1, { task: LOG_CURSOR.term }),
          notBeforeMs: 0,
          row: {
            type: "term.started",
            task: "",
            dueMs: null,
            decidedMs: T0,
            detail: { owner: "me", epoch: "epoch-1", build: "test" },
          },
        } satisfies Step;
        assert.deepEqual(await commit(started), ["committed"]);
        assert.deepEqual(await commit(started), ["duplicate"]);
        const [row] = await rowsOf(journal.read(EVERYTHING));
        assert.equal(row?.type, "term.started");
        assert.equal(row?.task, "");
        assert.equal(row?.dueMs, null);
        assert.equal(row?.decidedMs, T0);
        assert.deepEqual([...(await journal.load()).cursors.keys()], [LOG_CURSOR.term]);
      });

      it("refuses only the steps whose list is of another type, and those behind them", async () => {
        await rig.spoilList("spoiled");
        const before = await rig.dump();
        assert.deepEqual(
          await commit(
            publishStep(null, T0, { task: "a", list: "spoiled" }),
            publishStep(T0, T0 + 1, { task: "a" }),
            publishStep(null, T0, { task: "b" }),
          ),
          ["wrongtype", "gap", "committed"],
        );
        const dump = await rig.dump();
        assert.deepEqual(dump.cursors, { b: cursorAt(T0) });
        assert.equal(dump.entries.length, before.entries.length + 1);
      });

      it("takes text of any script, and of any length, to the letter", async () => {
        const detail = { by: "überwachung", reason: "休場 \u0000 'quoted' \\ \n".repeat(100) };
        const step = publishStep(null, T0);
        await commit({
          ...skipStep(null, T0, { task: "a" }),
          row: { type: "fire.skipped", task: "a", dueMs: T0, decidedMs: T0, detail },
        }, { ...step, publish: { ...step.publish!, message: detail.reason } });
        assert.deepEqual((await rowsOf(journal.read(EVERYTHING)))[0]?.detail, detail);
        assert.equal(await rig.pop("celery"), detail.reason);
      });

      it("takes a full batch, and none above it", async () => {
        const steps = Array.from(
          { length: BATCH_MAX + 1 },
          (_, index) => publishStep(null, T0, { task: `task-${index}`, list: `list-${index % 7}` }),
        );
        await assert.rejects(commit(...steps), /expected at most 200/);
        const kinds = await commit(...steps.slice(0, BATCH_MAX));
        assert.deepEqual(new Set(kinds), new Set(["committed"]));
        assert.equal(kinds.length, BATCH_MAX);
        assert.deepEqual(await commit(), []);
      });

      it("rejects steps that would not move, and numbers that are none", async () => {
        const still = publishStep(T0, T0);
        await assert.rejects(commit(still), /expected the step of report to move its cursor/);
        const step = publishStep(null, T0);
        const open = openAt(T0, { giveUpMs: NaN });
        await assert.rejects(
          commit({ ...step, publish: { message: "x", open } }),
          /expected whole milliseconds in the deadlines of report@/,
        );
        await assert.rejects(commit({ ...step, notBeforeMs: 0.5 }), /whole milliseconds/);
        assert.deepEqual((await rig.dump()).entries, []);
      });
    });

    describe("settle()", () => {
      const settle = async (...settlements: Parameters<Journal["settle"]>[0]) =>
        outcomesOf(await journal.settle(settlements, FENCE));
      const openFire = openAt(T0);

      beforeEach(async () => void await commit(publishStep(null, T0)));

      it("closes a fire, and changes nothing when sent again", async () => {
        assert.deepEqual(await settle(settlementOf(openFire)), ["settled"]);
        const before = await rig.dump();
        assert.deepEqual(before.open, {});
        assert.equal(before.entries.length, 2);
        assert.deepEqual(await settle(settlementOf(openFire)), ["duplicate"]);
        assert.deepEqual(await rig.dump(), before);
      });

      it("moves a fire on, step by step within one call", async () => {
        const taken = openAt(T0, { state: "taken" });
        const acked = openAt(T0, { state: "acked", redeliveries: 2 });
        assert.deepEqual(
          await settle(
            settlementOf(openFire, { next: taken }),
            settlementOf(openFire),
            settlementOf(taken, { next: acked }),
          ),
          ["settled", "duplicate", "settled"],
        );
        assert.deepEqual((await journal.load()).open, [acked]);
      });

      it("records several rows in order", async () => {
        const rows = settlementOf(openFire).rows;
        const finished = {
          ...rows[0]!,
          type: "fire.finished" as const,
          detail: { outcome: "success" as const, runtimeMs: 12.5 },
        };
        await settle(settlementOf(openFire, { rows: [...rows, finished] }));
        const types = (await rowsOf(journal.read(EVERYTHING))).map(({ type }) => type);
        assert.deepEqual(types, ["fire.published", "fire.acked", "fire.finished"]);
      });

      it("takes an expired message out of its list", async () => {
        await commit(publishStep(T0, T0 + 1));
        const remove = { list: "celery", bytes: `report@${T0}`, reach: 1 };
        assert.deepEqual(await settle(settlementOf(openFire, { remove })), ["settled"]);
        assert.deepEqual((await rig.dump()).lists, { celery: [`report@${T0 + 1}`] });
      });

      it("answers raced, and writes nothing, for what is not where a worker takes", async () => {
        const remove = { list: "celery", bytes: `report@${T0}`, reach: 1 };
        await commit(publishStep(T0, T0 + 1));
        const behind = { remove: { ...remove, bytes: `report@${T0 + 1}` } };
        assert.deepEqual(await settle(settlementOf(openAt(T0 + 1), behind)), ["raced"]);
        await rig.pop("celery");
        const before = await rig.dump();
        const settlements = [settlementOf(openFire, { remove }), settlementOf(openAt(T0 + 9))];
        assert.deepEqual(await settle(...settlements), ["raced", "duplicate"]);
        assert.deepEqual(await rig.dump(), before);
      });

      it("answers wrongtype for a list of another type, and settles the others", async () => {
        await commit(publishStep(null, T0, { task: "b" }));
        await rig.spoilList("spoiled");
        const remove = { list: "spoiled", bytes: "x", reach: 1 };
        assert.deepEqual(
          await settle(
            settlementOf(openFire, { remove }),
            settlementOf(openAt(T0, { task: "b" })),
          ),
          ["wrongtype", "settled"],
        );
        assert.deepEqual(Object.keys((await rig.dump()).open), [`report@${T0}`]);
      });

      it("answers fenced, and writes nothing, under any other fence", async () => {
        const before = await rig.dump();
        const reply = await journal.settle([settlementOf(openFire)], FENCE + 1);
        assert.equal(reply.kind, "fenced");
        assert.deepEqual(await rig.dump(), before);
      });

      it("rejects a settlement without rows, or of another fire", async () => {
        await assert.rejects(settle(settlementOf(openFire, { rows: [] })), /to have a row/);
        await assert.rejects(
          settle(settlementOf(openFire, { next: openAt(T0 + 1) })),
          /expected report@\d+ to stay the same/,
        );
      });
    });

    describe("load() and reload()", () => {
      it("give what was committed, and its new attempts beside the first", async () => {
        const again = openAt(T0, { attempt: 1, list: "slow\u0006\u00169" });
        const step = publishStep(T0, T0 + 1);
        await commit(publishStep(null, T0), {
          ...step,
          publish: { message: "again", open: again },
        });
        const loaded = await journal.load();
        const cursor = { dueMs: T0 + 1, revision: "0123456789ab" };
        assert.deepEqual([...loaded.cursors], [["report", cursor]]);
        const others = await Promise.all([journal.load("paged"), journal.load("cursors")]);
        assert.deepEqual(others.map(({ open }) => open.length), [2, 0]);
        assert.deepEqual(
          loaded.open.toSorted((a, b) => a.attempt - b.attempt),
          [openAt(T0), again],
        );
        assert.ok(loaded.serverMs > T0);

        const some = await journal.reload(["report", "nobody"], [`report@${T0}#1`, "nobody@1"]);
        assert.deepEqual([...some.cursors.keys()], ["report"]);
        assert.deepEqual(some.open, [again]);
        const none = await journal.reload([], []);
        assert.deepEqual([none.cursors.size, none.open.length], [0, 0]);
      });

      it("take a task with a name that objects have", async () => {
        await commit(publishStep(null, T0, { task: "__proto__" }));
        assert.deepEqual([...(await journal.load()).cursors.keys()], ["__proto__"]);
      });
    });

    it("trace() finds what became of a row, and the newest", async () => {
      assert.deepEqual(await journal.trace("0-0"), { stayedId: null, newestId: "0-0" });
      await commit(publishStep(null, T0), publishStep(T0, T0 + 1));
      const [first, second] = (await rig.dump()).entries.map(({ id }) => id);
      assert.deepEqual(await journal.trace(first!), { stayedId: first, newestId: second });
      assert.deepEqual(await journal.trace(second!), { stayedId: second, newestId: second });
      const later = `${Number(second!.split("-")[0]) + 1}-0`;
      assert.deepEqual(await journal.trace(later), { stayedId: second, newestId: second });
      assert.deepEqual(await journal.trace("1-0"), { stayedId: null, newestId: second });
    });

    describe("read() and readBack()", () => {
      /** More than two pages of any implementation. */
      const COUNT = 2_300;

      async function fill(): Promise<void> {
        for (let from = 0; from < COUNT; from += BATCH_MAX) {
          const count = Math.min(BATCH_MAX, COUNT - from);
          await commit(
            ...Array.from({ length: count }, (_, index) => {
              const n = from + index;
              return skipStep(n === 0 ? null : T0 + n - 1, T0 + n);
            }),
          );
        }
      }

      it("give every row once, in order and in reverse", async () => {
        await fill();
        const rows = await rowsOf(journal.read(EVERYTHING));
        assert.deepEqual(rows.map(({ dueMs }) => dueMs! - T0), [...Array(COUNT).keys()]);
        const back = await rowsOf(journal.readBack(EVERYTHING));
        assert.deepEqual(back, rows.toReversed());
      });

      it("take ids, and times that mean whole milliseconds, as the ends of a range", async () => {
        await commit(skipStep(null, T0), skipStep(T0, T0 + 1), skipStep(T0 + 1, T0 + 2));
        const rows = await rowsOf(journal.read(EVERYTHING));
        const [first, second, third] = rows.map(({ id }) => id) as [string, string, string];
        const idsIn = async (range: ReadRange) =>
          (await rowsOf(journal.read(range))).map(({ id }) => id);
        assert.deepEqual(await idsIn({ from: second, to: "+" }), [second, third]);
        assert.deepEqual(await idsIn({ from: "-", to: second }), [first, second]);
        const [fromMs] = first.split("-") as [string];
        const [toMs] = third.split("-") as [string];
        assert.deepEqual(await idsIn({ from: fromMs, to: toMs }), [first, second, third]);
        assert.deepEqual(await idsIn({ from: `${Number(toMs) + 1}`, to: "+" }), []);
      });

      it("pass over entries that are no rows, and tell of them", async () => {
        await commit(skipStep(null, T0));
        await rig.appendForeign();
        await commit(skipStep(T0, T0 + 1));
        for (const read of [journal.read, journal.readBack]) {
          const foreign: string[] = [];
          const rows = await rowsOf(read(EVERYTHING, (_id, why) => foreign.push(why)));
          assert.equal(rows.length, 2);
          assert.equal(foreign.length, 1);
          assert.match(foreign[0]!, /expected an entry with the fields/);
        }
      });

      it("end where the reader has seen enough", async () => {
        await fill();
        for await (const row of journal.read(EVERYTHING)) {
          assert.equal(row.dueMs, T0);
          break;
        }
      });
    });
  });
}

function kindsOf(reply: Committed): string[] {
  assert.equal(reply.kind, "done");
  return reply.kind === "done" ? reply.outcomes.map(({ kind }) => kind) : [];
}

function outcomesOf(reply: Settled): readonly string[] {
  assert.equal(reply.kind, "done");
  return reply.kind === "done" ? reply.outcomes : [];
}

const rowsOf = (source: AsyncIterable<JournalRow>) => Array.fromAsync(source);
