import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { agendaOf, BEHIND_AFTER_MS } from "../../src/core/agenda.ts";
import { aReady, aRoster, aTimetable, T0 } from "../support/build.ts";

const NOW = T0 + 3_600_000;

describe("agendaOf()", () => {
  it("knows when it is wanted, and gives each task once, the earliest first", () => {
    const agenda = agendaWith({ b: NOW - 1, a: NOW - 2, later: NOW + 1 });
    assert.equal(agenda.nextMs(), NOW - 2);
    assert.deepEqual(takeAll(agenda, "on time"), ["a", "b"]);
    assert.equal(agenda.nextMs(), NOW + 1);
    agenda.put("a", null);
    assert.equal(agenda.take(NOW + 1, "on time"), "later");
    assert.equal(agenda.nextMs(), null);
  });

  it("gives what is on time before what is behind", () => {
    const edge = NOW - BEHIND_AFTER_MS;
    const agenda = agendaWith({ old: T0 + 1, late: edge - 1, just: edge, now: NOW });
    assert.equal(agenda.lineUp(NOW), 2);
    assert.equal(agenda.nextMs(), T0 + 1);
    assert.deepEqual(takeAll(agenda, "on time"), ["just", "now", "old", "late"]);
  });

  it("gives what is behind first in its own turn, and what is on time where nothing is", () => {
    const agenda = agendaWith({ old: T0 + 1, now: NOW });
    agenda.lineUp(NOW);
    assert.deepEqual(takeAll(agenda, "behind"), ["old", "now"]);
  });

  it("puts a task that is still behind at the end of the line", () => {
    const agenda = agendaWith({ a: T0 + 1, b: T0 + 2, c: T0 + 3 });
    const turns: (string | null)[] = [];
    for (let turn = 1; turn <= 6; turn++) {
      assert.equal(agenda.lineUp(NOW), 3);
      const name = agenda.take(NOW, "behind")!;
      turns.push(name);
      agenda.put(name, T0 + 10 + turn);
    }
    assert.deepEqual(turns, ["a", "b", "c", "a", "b", "c"]);
  });

  it("is not led astray by a line whose clock went back", () => {
    const agenda = agendaWith({ a: T0 + 1_000_000, b: T0 + 2_000_000 });
    assert.equal(agenda.lineUp(T0 + 1_500_000), 1);
    agenda.put("c", T0 + 500_000);
    assert.equal(agenda.nextMs(), T0 + 500_000);
    assert.equal(agenda.take(T0 + 600_000, "on time"), "c");
  });
});

function agendaWith(dueMs: Readonly<Record<string, number>>) {
  const ready = Object.entries(dueMs).map(([name, atMs]) => aReady({ name }, aTimetable(atMs)));
  return agendaOf(aRoster(...ready), ({ trigger }) => trigger.next(T0));
}

function takeAll(agenda: ReturnType<typeof agendaOf>, lane: "on time" | "behind"): string[] {
  const names: string[] = [];
  for (let name = agenda.take(NOW, lane); name !== null; name = agenda.take(NOW, lane)) {
    names.push(name);
  }
  return names;
}
