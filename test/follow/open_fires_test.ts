import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { openFires } from "../../src/follow/open_fires.ts";
import { openKey } from "../../src/open_fire.ts";
import { anOpenFire, T0 } from "../support/build.ts";

describe("openFires()", () => {
  it("gives a list's waiting fires in publish order, however they were added", () => {
    const open = openFires();
    for (const late of [5, 1, 9, 3]) {
      open.add(anOpenFire({ dueMs: T0 + late, publishedMs: T0 + late }));
    }
    const order = () =>
      [...open.tracked.waitingIn("maintenance")].map((each) => each.open.dueMs - T0);
    assert.deepEqual(order(), [1, 3, 5, 9]);
    open.add(anOpenFire({ dueMs: T0 + 4, publishedMs: T0 + 4 }));
    assert.deepEqual(order(), [1, 3, 4, 5, 9]);
  });

  it("keeps the place of a fire that is overdue", () => {
    const open = openFires();
    const fires = [1, 2].map((late) => anOpenFire({ dueMs: T0 + late, publishedMs: T0 + late }));
    for (const fire of fires) open.add(fire);
    open.tracked.replace(open.tracked.get(openKey(fires[0]!))!, { ...fires[0]!, isOverdue: true });
    const [first] = open.tracked.waitingIn("maintenance");
    assert.deepEqual([first!.open.dueMs, first!.open.isOverdue], [T0 + 1, true]);
  });

  it("takes the place of a fire with the same key", () => {
    const open = openFires();
    const fire = anOpenFire();
    open.add(fire);
    open.add({ ...fire, state: "acked" });
    assert.equal(open.size, 1);
    assert.equal(open.get(openKey(fire))?.state, "acked");
    assert.deepEqual(open.tracked.lists(), []);
    assert.equal(open.tracked.unfinishedOf(fire.task).size, 1);
  });

  it("forgets a list with its last fire", () => {
    const open = openFires();
    const fires = [anOpenFire(), anOpenFire({ dueMs: T0 + 1, state: "taken" })];
    for (const fire of fires) open.add(fire);
    assert.deepEqual(open.tracked.lists(), ["maintenance"]);
    open.remove(openKey(fires[0]!));
    assert.deepEqual(open.tracked.lists(), ["maintenance"]);
    open.remove(openKey(fires[1]!));
    assert.deepEqual(open.tracked.lists(), []);
    assert.equal(open.size, 0);
  });

  it("looks at a waiting fire at its first deadline, at others at once", () => {
    const open = openFires();
    const waiting = anOpenFire({ takeByMs: T0 + 60_000 });
    const taken = anOpenFire({ dueMs: T0 + 1, state: "taken" });
    open.add(waiting);
    open.add(taken);
    const due = (nowMs: number) => open.tracked.takeDue(nowMs, 10).map(({ key }) => key);
    assert.deepEqual(due(T0), [openKey(taken)]);
    assert.deepEqual(due(T0 + 59_999), []);
    assert.deepEqual(due(T0 + 60_000), [openKey(waiting)]);
    assert.deepEqual(due(T0 + 90_000), []);
  });

  it("leaves for the next call what is over the limit", () => {
    const open = openFires();
    for (let index = 0; index < 5; index++) open.add(anOpenFire({ dueMs: index, state: "taken" }));
    assert.equal(open.tracked.takeDue(T0, 3).length, 3);
    assert.equal(open.tracked.takeDue(T0, 3).length, 2);
  });

  it("gives each new fire once", () => {
    const open = openFires();
    for (let index = 0; index < 3; index++) open.add(anOpenFire({ dueMs: index }));
    assert.equal(open.tracked.takeNew(2).length, 2);
    open.add(anOpenFire({ dueMs: 3 }));
    assert.equal(open.tracked.takeNew(5).length, 2);
    assert.equal(open.tracked.takeNew(5).length, 0);
  });

  it("adds and removes at the same cost with very many", () => {
    const costOf = (count: number) => {
      const open = openFires();
      const fires = Array.from({ length: count }, (_, index) => anOpenFire({ dueMs: index }));
      const startMs = performance.now();
      for (const fire of fires) open.add(fire);
      for (const fire of fires) open.remove(openKey(fire));
      return (performance.now() - startMs) / count;
    };
    costOf(5_000);
    const [few, many] = [costOf(5_000), costOf(100_000)];
    // Ten times for the collector's sake; a list that is searched would be a hundred times dearer.
    assert.ok(many < few * 10, `expected about ${few} ms for each, got ${many} ms`);
  });
});
