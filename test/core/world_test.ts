/** What the leader knows, kept in step with what it is told. */

import { openOf } from "../../src/follow/open_fires.ts";
import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { applyReload, applyStep, cursorText } from "../../src/core/world.ts";
import { openKey } from "../../src/open_fire.ts";
import { anOpenFire, aStep, aWorld, T0 } from "../support/build.ts";

const FIRE = anOpenFire();
const KEY = openKey(FIRE);
const CURSOR = { dueMs: T0, revision: "r.r" };
const READ = { serverMs: T0, lastId: "0-0" };

describe("openOf()", () => {
  it("gives the fires in the order of their publishing: of too many, the oldest are let go", async () => {
    const fires = [5, 1, 9, 3].map((late) =>
      anOpenFire({ dueMs: T0 + late, publishedMs: T0 + late, state: "acked" })
    );
    const open = await openOf({ open: fires }, () => Promise.resolve());
    const unfinished = [...open.tracked.unfinishedOf(fires[0]!.task)];
    assert.deepEqual(unfinished.map((each) => each.open.dueMs - T0), [1, 3, 5, 9]);
  });
});

describe("applyStep()", () => {
  it("moves the cursor and adds the fire", () => {
    const world = aWorld();
    applyStep(world, aStep());
    assert.equal(cursorText(world, "check.echo"), aStep().next);
    assert.deepEqual([...world.open.values()], [FIRE]);
  });

  it("forgets a cursor that a step removes", () => {
    const world = aWorld({ "check.echo": CURSOR });
    applyStep(world, aStep({ next: "", publish: null }));
    assert.equal(cursorText(world, "check.echo"), "");
    assert.equal(world.open.size, 0);
  });

  it("knows that a new fire is in no state but queued", () => {
    const open = anOpenFire({ state: "taken" });
    assert.throws(
      () => applyStep(aWorld(), aStep({ publish: { message: "m", open } })),
      /a new fire cannot be taken/,
    );
  });
});

describe("applyReload()", () => {
  const asked = { tasks: ["check.echo"], openIds: [KEY] };

  it("takes what was read for the truth, also where nothing was there", () => {
    const world = aWorld({ "check.echo": CURSOR });
    world.open.add(FIRE);
    applyReload(world, asked, { ...READ, cursors: new Map(), open: [] });
    assert.equal(world.cursors.size, 0);
    assert.equal(world.open.size, 0);
  });

  it("leaves alone what was not asked for", () => {
    const other = anOpenFire({ task: "other" });
    const world = aWorld({ other: CURSOR });
    world.open.add(other);
    const cursors = new Map([["check.echo", CURSOR]]);
    applyReload(world, asked, { ...READ, cursors, open: [FIRE] });
    assert.deepEqual([...world.cursors.keys()].sort(), ["check.echo", "other"]);
    assert.deepEqual([...world.open.values()], [other, FIRE]);
  });
});
