/** The steps of one task: what each expects, carries and moves. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { celeryTaskId, deliveryTag } from "../../src/celery/ids.ts";
import { chainOf, drop, publish } from "../../src/core/chain.ts";
import type { ReadyTask } from "../../src/core/roster.ts";
import type { Gap } from "../../src/policies/catchup.ts";
import { encodeCursor } from "../../src/cursor.ts";
import type { Step } from "../../src/ports.ts";
import { aReady, T0 } from "../support/build.ts";

const TERM = { namespace: "beat", fence: 4 };
const NOW = T0 + 3_500;
const NOTHING_DROPPED = { dropped: null };

describe("a chain", () => {
  const ready = aReady({ name: "report", queue: "reports" });
  const cursor = encodeCursor({ dueMs: T0, revision: ready.revision });

  it("makes nothing of nothing", () => {
    assert.deepEqual(stepsOf(ready, cursor, { ...NOTHING_DROPPED, fires: [] }, TERM, NOW), []);
  });

  it("makes a row, a message and an open fire of a due time", () => {
    const gap = { ...NOTHING_DROPPED, fires: [T0 + 1000] };
    const [step, ...more] = stepsOf(ready, cursor, gap, TERM, NOW);
    assert.equal(more.length, 0);
    const { publish, ...rest } = step!;
    assert.deepEqual(rest, {
      task: "report",
      expect: cursor,
      next: encodeCursor({ dueMs: T0 + 1000, revision: ready.revision }),
      notBeforeMs: T0 + 1000,
      notAfterMs: NOW + 10_000,
      row: {
        type: "fire.published",
        task: "report",
        dueMs: T0 + 1000,
        decidedMs: NOW,
        detail: {},
      },
    });
    assert.deepEqual(publish?.open, {
      task: "report",
      dueMs: T0 + 1000,
      attempt: 0,
      list: "reports",
      fence: 4,
      publishedMs: NOW,
      expiresMs: null,
      takeByMs: NOW + 60_000,
      takeWithinMs: 60_000,
      giveUpMs: NOW + 604_800_000,
      state: "queued",
      isOverdue: false,
      redeliveries: 0,
    });
  });

  it("names the message after the fire and its tag after the term", () => {
    const gap = { ...NOTHING_DROPPED, fires: [T0 + 1000] };
    const [step] = stepsOf(ready, cursor, gap, TERM, NOW);
    const message = JSON.parse(step!.publish!.message);
    const taskId = celeryTaskId("beat", `report@${T0 + 1000}`);
    assert.equal(message.headers.id, taskId);
    assert.equal(message.properties.delivery_tag, deliveryTag(taskId, 4));
  });

  it("gives the same message to whoever decides the same, and the same id to another leader", () => {
    const gap = { ...NOTHING_DROPPED, fires: [T0 + 1000] };
    const [one] = stepsOf(ready, cursor, gap, TERM, NOW);
    const [same] = stepsOf(ready, cursor, gap, TERM, NOW);
    const [later] = stepsOf(ready, cursor, gap, { ...TERM, fence: 5 }, NOW + 10_000);
    assert.deepEqual(same, one);
    assert.equal(idOf(later), idOf(one));
    assert.notEqual(later!.publish!.message, one!.publish!.message);
  });

  it("counts the expiry from the publish, as Celery does", () => {
    const expiring = aReady({ expiresMs: 20_000 });
    const gap = { ...NOTHING_DROPPED, fires: [T0 + 1000] };
    const [step] = stepsOf(expiring, cursor, gap, TERM, NOW);
    assert.equal(step!.publish!.open.expiresMs, NOW + 20_000);
    const { expires } = JSON.parse(step!.publish!.message).headers;
    assert.equal(Date.parse(expires), NOW + 20_000);
  });

  it("puts what is let go first, and lets each step expect what the one before it left", () => {
    const dropped = { fromMs: T0 + 1000, toMs: T0 + 2000, count: 2, reason: "late" };
    const gap = { dropped, fires: [T0 + 3000, T0 + 4000] };
    const steps = stepsOf(ready, cursor, gap, TERM, NOW + 1000);
    assert.deepEqual(steps.map(({ row }) => [row.type, row.dueMs]), [
      ["task.dropped", T0 + 2000],
      ["fire.published", T0 + 3000],
      ["fire.published", T0 + 4000],
    ]);
    assert.deepEqual(steps.map(({ expect }) => expect), [
      cursor,
      steps[0]!.next,
      steps[1]!.next,
    ]);
    assert.deepEqual(steps[0]!.row.detail, { ...dropped, by: "catchup" });
    assert.equal(steps[0]!.publish, null);
  });

  it("moves every cursor to its due time under the revision that decided it", () => {
    const gap = { ...NOTHING_DROPPED, fires: [T0 + 1000, T0 + 2000] };
    const steps = stepsOf(ready, encodeCursor({ dueMs: T0, revision: "a.b" }), gap, TERM, NOW);
    assert.deepEqual(steps.map(({ next }) => next), [
      `${T0 + 1000} ${ready.revision}`,
      `${T0 + 2000} ${ready.revision}`,
    ]);
  });

  it("is never to be carried out before the due time", () => {
    const dropped = { fromMs: T0 + 1000, toMs: T0 + 1000, count: 1, reason: "late" };
    const steps = stepsOf(ready, cursor, { dropped, fires: [T0 + 2000] }, TERM, NOW);
    for (const step of steps) assert.equal(step.notBeforeMs, step.row.dueMs);
  });
});

function idOf(step: Step | undefined): unknown {
  return JSON.parse(step!.publish!.message).headers.id;
}

/** What a task says that was not looked at for a while. */
function stepsOf(
  ready: ReadyTask,
  cursor: string,
  gap: Gap,
  term: typeof TERM,
  nowMs: number,
): Step[] {
  const chain = chainOf(ready, cursor, term, nowMs);
  if (gap.dropped !== null) drop(chain, gap.dropped, "catchup");
  for (const dueMs of gap.fires) publish(chain, dueMs);
  return chain.steps;
}
