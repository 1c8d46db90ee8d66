/** A change of a level is one row and one cursor, whatever becomes of the reply. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { JournalUnavailableError } from "../../src/errors.ts";
import type { Tick } from "../../src/core/tick.ts";
import { levelWriter } from "../../src/lead/level_writer.ts";
import { aLog, aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { aDesk, FENCE } from "../support/desk.ts";

const SLOWED = { to: "slowed", reason: "300 wait", facts: { depth: 300 } } as const;

async function aWriter() {
  const desk = aDesk();
  let now: Tick | null = await desk.open(aRoster(aReady()));
  const log = aLog();
  let endings = 0;
  const writer = levelWriter({
    server: desk.server,
    log,
    fence: FENCE,
    now: () => now,
    alone: (work) => work(),
    unsure: () => void endings++,
  });
  const rows = async () =>
    (await rowsOf(desk.journal)).filter(({ type }) => type === "level.changed");
  /** Begins another term, as a leader does that is not sure what stands. */
  const nextTerm = async () => void (now = (await desk.nextTerm(aRoster(aReady()))).now);
  return {
    ...{ desk, writer, log, rows, nextTerm },
    leave: () => void (now = null),
    endings: () => endings,
  };
}

describe("levelWriter()", () => {
  it("writes the change and the cursor in one step, and says so", async () => {
    const { desk, writer, log, rows } = await aWriter();
    assert.deepEqual(writer.standing("queue:a b"), { level: "normal", sinceMs: null });
    await writer.change("queue:a b", SLOWED);
    assert.deepEqual((await rows()).map(({ detail }) => detail), [
      { key: "queue:a b", from: "normal", ...SLOWED },
    ]);
    assert.equal(desk.store.cursors.get("@level:queue:a b"), `${T0} slowed`);
    assert.deepEqual(writer.standing("queue:a b"), { level: "slowed", sinceMs: T0 });
    assert.deepEqual(log.lines.map(({ level, message }) => [level, message]), [
      ["warn", "level changed"],
    ]);
    assert.deepEqual(writer.raised("queue:"), ["queue:a b"]);
    assert.deepEqual(writer.raised("slo:"), []);
  });

  it("writes nothing where the level is that already, or the term has ended", async () => {
    const { writer, rows, leave } = await aWriter();
    await writer.change("slo:api", SLOWED);
    await writer.change("slo:api", SLOWED);
    leave();
    await writer.change("slo:api", { ...SLOWED, to: "paused" });
    assert.equal((await rows()).length, 1);
  });

  it("ends the term where a reply is lost, and the next one knows what stands", async () => {
    for (const [fault, level] of [["reply", "slowed"], ["request", "normal"]] as const) {
      const { desk, writer, rows, nextTerm, endings } = await aWriter();
      desk.journal.faults.push(fault);
      await assert.rejects(writer.change("queue:a", SLOWED), JournalUnavailableError);
      assert.equal(endings(), 1);
      await nextTerm();
      assert.equal(writer.standing("queue:a").level, level);
      assert.equal((await rows()).length, level === "normal" ? 0 : 1);
    }
  });

  it("is refused by the next term where its call arrives late", async () => {
    const { desk, writer, rows, nextTerm, endings } = await aWriter();
    desk.journal.faults.push("late");
    await assert.rejects(writer.change("queue:a", SLOWED), JournalUnavailableError);
    assert.equal(endings(), 1);
    await nextTerm();
    assert.deepEqual(await desk.journal.arrive(), [{ kind: "fenced" }]);
    assert.deepEqual(await rows(), []);
  });

  it("goes on in the same term where Redis takes nothing", async () => {
    const { desk, writer, rows, endings } = await aWriter();
    desk.journal.faults.push("refused");
    await assert.rejects(writer.change("queue:a", SLOWED), JournalUnavailableError);
    assert.equal(endings(), 0);
    await writer.change("queue:a", SLOWED);
    assert.equal((await rows()).length, 1);
  });

  it("knows when somebody newer leads", async () => {
    const { desk, writer, rows } = await aWriter();
    desk.store.fence = FENCE + 1;
    await writer.change("queue:a", SLOWED);
    assert.equal(writer.isFenced, true);
    assert.deepEqual(await rows(), []);
  });
});
