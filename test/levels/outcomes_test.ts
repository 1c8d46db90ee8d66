/** Which ends of fires count, and how. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import type { Row } from "../../src/event.ts";
import { outcomes } from "../../src/levels/outcomes.ts";
import type { Settlement } from "../../src/ports.ts";
import { anOpenFire, T0 } from "../support/build.ts";

type Outcome = "success" | "failure" | "revoked" | "lost" | "unknown";

function finished(task: string, outcome: Outcome): Settlement {
  const head = { task, dueMs: T0, decidedMs: T0 };
  const rows: Row[] = [
    { ...head, type: "fire.acked", detail: { by: "result" } },
    { ...head, type: "fire.finished", detail: { outcome } },
  ];
  return { open: anOpenFire({ task }), next: null, rows, remove: null };
}

describe("outcomes()", () => {
  it("counts success as good, failure and loss as bad, and nothing else", () => {
    const count = outcomes();
    const ends = ["success", "failure", "lost", "revoked", "unknown"] as const;
    for (const outcome of ends) count.note(finished("a", outcome));
    assert.deepEqual(count.total(null), { events: 3, bad: 2 });
  });

  it("tells the tasks apart", () => {
    const count = outcomes();
    count.note(finished("a", "success"));
    count.note(finished("b", "failure"));
    count.note(finished("a", "success"));
    assert.deepEqual(count.total(["a"]), { events: 2, bad: 0 });
    assert.deepEqual(count.total(["b", "never heard of"]), { events: 1, bad: 1 });
    assert.deepEqual(count.total(null), { events: 3, bad: 1 });
  });

  it("counts a fire that somebody asked for with its task, and keeps nothing of the request", () => {
    const count = outcomes();
    count.note(finished("a", "success"));
    count.note(finished("a+r1", "failure"));
    count.note(finished("a+r2", "success"));
    assert.deepEqual(count.total(["a"]), { events: 3, bad: 1 });
    assert.deepEqual(count.total(null), { events: 3, bad: 1 });
  });
});
