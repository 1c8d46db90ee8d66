/** The schedule as declared against the schedule as remembered. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { definitionOf, reconcile } from "../../src/core/reconcile.ts";
import type { ReadyTask } from "../../src/core/roster.ts";
import { encodeCursor, LOG_CURSOR } from "../../src/cursor.ts";
import { aReady, aRoster, aTask, aWorld, T0 } from "../support/build.ts";

const NOW = T0 + 60_000;

describe("reconcile()", () => {
  it("has nothing to say where nothing changed", () => {
    const ready = aReady();
    const world = aWorld({ "check.echo": { dueMs: T0, revision: ready.revision } });
    assert.deepEqual(reconcile(aRoster(ready), world, NOW), []);
  });

  it("starts a new task at now, so that it never fires the past", () => {
    const ready = aReady();
    const [step, ...more] = reconcile(aRoster(ready), aWorld(), NOW);
    assert.equal(more.length, 0);
    assert.deepEqual(step, {
      task: "check.echo",
      expect: "",
      next: encodeCursor({ dueMs: NOW, revision: ready.revision }),
      notBeforeMs: 0,
      notAfterMs: NOW + 10_000,
      row: {
        type: "task.known",
        task: "check.echo",
        dueMs: NOW,
        decidedMs: NOW,
        detail: { revision: ready.revision, definition: definitionOf(ready.task) },
      },
      publish: null,
    });
  });

  it("starts a task at now whose trigger changed", () => {
    const [before, after] = [aReady(), aReady({ trigger: { kind: "at", atMs: T0 + 5 } })];
    const [step] = reconcile(aRoster(after), remembering(before), NOW);
    assert.equal(step?.row.type, "task.changed");
    assert.equal(step.next, encodeCursor({ dueMs: NOW, revision: after.revision }));
    assert.equal(step.row.dueMs, NOW);
  });

  it("keeps the cursor of a task that changed otherwise", () => {
    const changes = [
      { args: [1] },
      { kwargs: { a: 1 } },
      { queue: "other" },
      { expiresMs: 5_000 },
      { priority: 3 },
      { catchUp: { policy: "all", windowMs: 1, cap: 2 } },
    ] as const;
    for (const change of changes) {
      const after = aReady(change);
      const [step] = reconcile(aRoster(after), remembering(aReady()), NOW);
      assert.equal(step?.row.type, "task.changed", JSON.stringify(change));
      assert.equal(step.expect, encodeCursor({ dueMs: T0, revision: aReady().revision }));
      assert.equal(step.next, encodeCursor({ dueMs: T0, revision: after.revision }));
    }
  });

  it("never takes a cursor back where the server's clock did", () => {
    const [before, after] = [aReady(), aReady({ trigger: { kind: "at", atMs: T0 + 5 } })];
    const [step] = reconcile(aRoster(after), remembering(before), T0 - 3_600_000);
    assert.equal(step?.next, encodeCursor({ dueMs: T0, revision: after.revision }));
  });

  it("starts a task at the newest row where the clock was set back behind it", () => {
    const world = { ...aWorld(), recordedMs: NOW + 30_000 };
    assert.equal(reconcile(aRoster(aReady()), world, NOW)[0]?.row.dueMs, NOW + 30_000);
    // A clock that was wrong by more was wrong before: what is new does not wait for it.
    const far = { ...aWorld(), recordedMs: NOW + 3_600_001 };
    assert.equal(reconcile(aRoster(aReady()), far, NOW)[0]?.row.dueMs, NOW);
  });

  it("retires a task that is declared no more, and forgets its cursor", () => {
    const [step, ...more] = reconcile(aRoster(), remembering(aReady()), NOW);
    assert.equal(more.length, 0);
    assert.equal(step?.row.type, "task.retired");
    assert.equal(step.next, "");
    assert.equal(step.expect, encodeCursor({ dueMs: T0, revision: aReady().revision }));
  });

  it("leaves the cursors alone that belong to no task", () => {
    const world = aWorld(
      Object.fromEntries(
        Object.values(LOG_CURSOR).map((name) => [name, { dueMs: 3, revision: "row" }]),
      ),
    );
    assert.deepEqual(reconcile(aRoster(), world, NOW), []);
  });

  it("says each difference of a schedule in a step of its own", () => {
    const stays = aReady({ name: "stays" });
    const roster = aRoster(stays, aReady({ name: "comes" }), aReady({ name: "moves", queue: "q" }));
    const world = aWorld({
      stays: { dueMs: T0, revision: stays.revision },
      moves: { dueMs: T0, revision: aReady({ name: "moves" }).revision },
      goes: { dueMs: T0, revision: "a.b" },
    });
    const steps = reconcile(roster, world, NOW);
    assert.deepEqual(steps.map(({ task, row }) => [task, row.type]), [
      ["comes", "task.known"],
      ["moves", "task.changed"],
      ["goes", "task.retired"],
    ]);
  });
});

describe("definitionOf()", () => {
  it("keeps what decides when and how, and leaves out what may be secret", () => {
    const secret = { args: ["s3cret"], kwargs: { key: "s3cret" }, headers: { token: "s3cret" } };
    const definition = definitionOf(aTask(secret));
    assert.ok(!JSON.stringify(definition).includes("s3cret"));
    assert.deepEqual(definition.trigger, { kind: "every", everyMs: 1000, phaseMs: 0 });
    assert.equal(definition.takeByMs, 60_000);
  });
});

function remembering(...known: readonly ReadyTask[]) {
  return aWorld(
    Object.fromEntries(
      known.map(({ task, revision }) => [task.name, { dueMs: T0, revision }]),
    ),
  );
}
