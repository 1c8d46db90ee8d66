import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { Fold } from "../../src/audit/fold.ts";
import { foldOf } from "../../src/audit/fold.ts";
import { standingOf } from "../../src/audit/standing.ts";
import { lifeOf } from "../../src/core/life.ts";
import { openKey } from "../../src/open_fire.ts";
import type { JournalRow } from "../../src/event.ts";
import { aReady, aRoster, rowsOf, T0 } from "../support/build.ts";
import { aDesk } from "../support/desk.ts";

const FIRE = `check.echo@${T0}`;

describe("foldOf()", () => {
  it("steps a fire, and forgets it when it ended", () => {
    const fold = foldOf();
    const states = ["fire.published", "fire.taken", "fire.acked", "fire.finished"]
      .map((type) => stateAfter(fold, aRow({ type })));
    assert.deepEqual(
      states,
      ["published.queued", "published.taken", "acked.unfinished", "acked.finished"],
    );
    assert.equal(fold.fires.size, 0);
  });

  it("refuses what may not follow, and stays where it was", () => {
    const fold = foldOf();
    assert.deepEqual(fold.take(aRow({ type: "fire.acked" })), refused(null));
    fold.take(aRow({}));
    assert.deepEqual(fold.take(aRow({})), refused("published.queued"));
    assert.deepEqual(fold.take(aRow({ type: "fire.skipped" })), refused("published.queued"));
    assert.equal(fold.fires.get(FIRE)?.state, "published.queued");
  });

  it("takes a word that comes after the end for what it is", () => {
    const fold = foldOf();
    for (const type of ["fire.published", "fire.expired"]) fold.take(aRow({ type }));
    assert.deepEqual(fold.take(aRow({ type: "fire.late_ack" })), { kind: "passed" });
    assert.deepEqual(fold.take(aRow({ type: "fire.acked" })), refused(null));
  });

  it("begins another life with another attempt, and not with the same", () => {
    const fold = foldOf();
    fold.take(aRow({}));
    const anew = aRow({ detail: { attempt: 1 } });
    assert.equal(fold.take(anew).kind, "stepped");
    const { openId, state } = fold.fires.get(FIRE)!;
    assert.deepEqual([openId, state], [`${FIRE}#1`, "published.queued"]);
    assert.equal(fold.take(anew).kind, "refused");
  });

  it("gives what a leader holds, of the rows that it wrote", async () => {
    const desk = aDesk();
    const all = { policy: "all", windowMs: 9_000, cap: 5 } as const;
    const names = ["a", "b", "c"];
    const now = await desk.open(aRoster(...names.map((name) => aReady({ name, catchUp: all }))));
    for (const waitMs of [1_000, 20_000, 500, 3_000]) {
      await desk.clock.advance(waitMs);
      await desk.tick(now);
    }
    const fold = foldOf();
    const standing = standingOf();
    for (const row of await rowsOf(desk.journal)) {
      standing.take(row);
      assert.notEqual(fold.take(row).kind, "refused");
    }
    const open = [...now.world.open.values()];
    assert.deepEqual(
      [...fold.fires.values()].map(({ openId, state }) => [openId, state]).sort(),
      open.map((each) => [openKey(each), lifeOf(each)]).sort(),
    );
    for (const name of names) {
      assert.deepEqual(standing.cursors.get(name), now.world.cursors.get(name));
    }
  });
});

/** `null` where it is not moved. */
function stateAfter(fold: Fold, row: JournalRow): string | null {
  const folded = fold.take(row);
  return folded.kind === "stepped" ? folded.fire.state : null;
}

function refused(state: string | null) {
  return { kind: "refused", openId: FIRE, state } as const;
}

function aRow(own: Partial<JournalRow>): JournalRow {
  return {
    id: `${T0}-0`,
    version: 1,
    type: "fire.published",
    task: "check.echo",
    dueMs: T0,
    decidedMs: T0,
    fence: 1,
    detail: {},
    ...own,
  };
}
