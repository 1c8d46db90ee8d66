/** What people ask for, carried out once, whatever becomes of replies and leaders. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { decodeMessage } from "../../src/celery/message.ts";
import { celeryTaskId } from "../../src/celery/ids.ts";
import { STALE_MS } from "../../src/asked/clerk.ts";
import { millisecondsOf } from "../../src/event.ts";
import type { Task } from "../../src/task.ts";
import { NO_POLICIES } from "../../src/task.ts";
import type { AskedDesk } from "../support/asked_desk.ts";
import { anAskedDesk } from "../support/asked_desk.ts";
import { T0 } from "../support/build.ts";
import { messageCount } from "../support/desk.ts";

const HOUR: Partial<Task> = {
  name: "a",
  queue: "a",
  trigger: { kind: "every", everyMs: 3_600_000, phaseMs: 0 },
};
const trigger = (id: string, own: Record<string, unknown> = {}) =>
  ({ id, kind: "trigger", task: "a", isObeying: false, ...own }) as const;

describe("heed(), asked for a trigger", () => {
  it("publishes one fire under the request's name, and moves no cursor of a task", async () => {
    const desk = await anAskedDesk(HOUR);
    const before = desk.store.cursors.get("a");
    await desk.pass(500);
    const entry = await desk.ask(trigger("r1"));
    await desk.pass(300);
    const [fire] = await desk.fires("a+r1");
    assert.equal(fire!.dueMs, millisecondsOf(entry));
    assert.equal(desk.store.cursors.get("a"), before);
    const [message] = desk.store.lists.get("a")!;
    const id = celeryTaskId("beat", `a+r1@${millisecondsOf(entry)}`);
    assert.equal(decodeMessage(message!).taskId, id);
    assert.deepEqual(await desk.answers(), ["r1 done"]);
    const [requested] = await desk.rows("control.requested");
    assert.deepEqual(requested!.detail, {
      ...{ request: "r1", kind: "trigger", who: "ada@desk", note: "a test", entryId: entry },
    });
    assert.deepEqual((await desk.audit()).findings, []);
  });

  it("says in its row what was asked for", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(trigger("r1", { args: [1, { day: "2026-03-01" }], isObeying: true }));
    await desk.ask(trigger("r2", { kwargs: { text: "\u{1F600}".repeat(1_000) } }));
    await desk.ask(backfill("r3"));
    await desk.pass(1_000);
    const requested = (await desk.rows("control.requested")).map(({ detail }) => {
      const { request: _, kind: _k, who: _w, note: _n, entryId: _e, ...own } = detail;
      return own;
    });
    assert.deepEqual(requested[0], { args: '[1,{"day":"2026-03-01"}]', isObeying: true });
    const { kwargs } = requested[1]!;
    assert.ok(typeof kwargs === "string" && kwargs.isWellFormed() && kwargs.length === 1_001);
    assert.deepEqual(requested[2], {
      ...{ fires: 50, fromMs: HOURS[0], toMs: HOURS.at(-1), rate: 10 },
    });
  });

  it("asked twice under one id publishes once, and says so", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(trigger("r1"));
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    await desk.takeOver();
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    assert.equal(messageCount(desk), 1);
    assert.deepEqual(await desk.answers(), ["r1 done", "r1 repeated", "r1 repeated"]);
  });

  it("publishes once whichever call or reply is lost, under this leader and the next", async () => {
    for (const fault of ["request", "reply", "late", "refused"] as const) {
      for (const isOverthrown of [false, true]) {
        const desk = await anAskedDesk(HOUR);
        desk.journal.faults.push(fault);
        const entry = await desk.ask(trigger("r1"));
        await desk.pass(300);
        if (isOverthrown) await desk.takeOver();
        await desk.journal.arrive();
        await desk.pass(2_000);
        const fires = await desk.fires("a+r1");
        assert.deepEqual(fires.map(({ dueMs }) => dueMs), [millisecondsOf(entry)], fault);
        assert.equal(messageCount(desk), 1, fault);
        assert.deepEqual(await desk.answers(), ["r1 done"], fault);
        assert.deepEqual((await desk.audit()).findings, []);
      }
    }
  });

  it("sends other arguments, checked as at load", async () => {
    const desk = await anAskedDesk({ ...HOUR, args: [1], kwargs: { a: 1 } });
    await desk.ask(trigger("r1", { args: ["x", 2.5], kwargs: {} }));
    await desk.ask(trigger("r2"));
    await desk.ask(trigger("r3", { args: [2 ** 60] }));
    await desk.pass(300);
    const bodies = desk.store.lists.get("a")!.toReversed().map((message) =>
      JSON.parse(atob(JSON.parse(message).body)).slice(0, 2)
    );
    assert.deepEqual(bodies, [[["x", 2.5], {}], [[1], { a: 1 }]]);
    assert.deepEqual(await desk.answers(), ["r1 done", "r2 done", "r3 refused"]);
    const [, , refused] = await desk.rows("control.answered");
    assert.match(String(refused!.detail.reason), /`args\[0\]` to be an integer within 2\^53/);
  });

  it("refuses a task that is not in the schedule, and takes its id again later", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(trigger("r1", { task: "b" }));
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    assert.deepEqual(await desk.answers(), ["r1 refused", "r1 done"]);
  });

  it("goes before the policies and notes what they would have done; --obey obeys", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask({ id: "p", kind: "pause", task: "a" });
    await desk.ask(trigger("r1"));
    await desk.ask(trigger("r2", { isObeying: true }));
    await desk.pass(300);
    const [fire] = await desk.fires("a+r1");
    assert.deepEqual(fire!.detail.notes, { pause: "would skip: paused by ada@desk: a test" });
    assert.deepEqual(await desk.answers(), ["p done", "r1 done", "r2 refused"]);
    assert.equal(messageCount(desk), 1);
  });

  it("does not take the jitter of a task for an objection", async () => {
    const jitter = { kind: "fixed", maxMs: 600_000, seed: "s", place: null } as const;
    const desk = await anAskedDesk({ ...HOUR, policies: { ...NO_POLICIES, jitter } });
    await desk.ask(trigger("r1", { isObeying: true }));
    await desk.pass(300);
    assert.deepEqual(await desk.answers(), ["r1 done"]);
    const [fire] = await desk.fires("a+r1");
    assert.equal(fire!.detail.notes, undefined);
  });

  it("refuses what waited for a leader for over a day", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.endTerm();
    await desk.ask(trigger("r1"));
    await desk.clock.advance(STALE_MS + 1_000);
    await desk.takeOver();
    await desk.ask(trigger("r2"));
    await desk.pass(300);
    assert.deepEqual(await desk.answers(), ["r1 refused", "r2 done"]);
  });

  it("answers what is no request, and goes on", async () => {
    const desk = await anAskedDesk(HOUR);
    const texts = [null, "{", '{"v":1,"id":"x"}', '{"v":1,"id":"y","kind":"pause","who":"a\\nb"}'];
    for (const text of texts) desk.requests.entries.push({ id: `${T0 + 1}-${++count}`, text });
    desk.requests.entries.push({ id: `${T0 + 1}-${++count}`, text: '{"v":1,"id":"a b"}' });
    await desk.pass(300);
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    const answers = await desk.answers();
    assert.deepEqual(answers.slice(2), ["x refused", "y refused", answers[4], "r1 done"]);
    assert.ok(answers.slice(0, 5).every((answer) => answer.endsWith(" refused")), answers.join());
    assert.deepEqual((await desk.audit()).findings, []);
  });

  it("refuses where the queue's key is of another type, and nothing is left half done", async () => {
    const desk = await anAskedDesk(HOUR);
    desk.store.foreignLists.add("a");
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    assert.deepEqual(await desk.answers(), ["r1 refused"]);
    desk.store.foreignLists.clear();
    await desk.ask(trigger("r1"));
    await desk.pass(300);
    assert.deepEqual(await desk.answers(), ["r1 refused", "r1 done"]);
    assert.equal(messageCount(desk), 1);
  });

  it("stops where somebody newer leads", async () => {
    const desk = await anAskedDesk(HOUR);
    desk.overthrow();
    await desk.ask(trigger("r1"));
    await desk.pass(300).catch(() => {});
    assert.equal(desk.isFenced(), true);
    assert.equal(messageCount(desk), 0);
  });
});

let count = 0;

const SECOND: Partial<Task> = { name: "a", queue: "a" };
const HOURS = Array.from({ length: 50 }, (_, index) => T0 - (50 - index) * 3_600_000);

function backfill(id: string, own: Record<string, unknown> = {}) {
  const fires = HOURS.map((dueMs): [number, number] => [dueMs, 0]);
  return { id, kind: "backfill", task: "a", rate: 10, fires, ...own } as const;
}

async function dueOf(desk: AskedDesk, name: string): Promise<(number | null)[]> {
  return (await desk.fires(name)).map(({ dueMs }) => dueMs);
}

describe("heed(), asked for a backfill", () => {
  it("publishes in order and never faster than its rate", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1"));
    await desk.pass(7_000);
    assert.deepEqual(await dueOf(desk, "a+r1"), HOURS);
    const times = (await desk.fires("a+r1")).map(({ id }) => millisecondsOf(id));
    times.forEach((ms, index) => {
      const inSecond = times.filter((other) => other >= ms && other < ms + 1_000).length;
      assert.ok(inSecond <= 10, `${inSecond} in the second from ${index} on`);
    });
    assert.ok(times.at(-1)! - times[0]! < 5_500, "and not much slower");
    assert.deepEqual(await desk.answers(), ["r1 done"]);
    assert.deepEqual((await desk.audit()).findings, []);
  });

  it("goes on under the next leader where the last one stood", async () => {
    for (const fault of ["none", "request", "reply", "late"] as const) {
      const desk = await anAskedDesk(HOUR);
      const cursor = desk.store.cursors.get("a");
      await desk.ask(backfill("r1"));
      await desk.pass(2_000);
      desk.journal.faults.push(fault);
      await desk.clock.advance(150);
      await desk.takeOver();
      await desk.journal.arrive();
      await desk.pass(5_000);
      assert.deepEqual(await dueOf(desk, "a+r1"), HOURS, fault);
      assert.equal(messageCount(desk), 50, fault);
      assert.deepEqual(await desk.answers(), ["r1 done"], fault);
      assert.equal(desk.store.cursors.get("a"), cursor);
      assert.deepEqual((await desk.audit()).findings, [], fault);
    }
  });

  it("is carried out once whichever call or reply is lost while it begins", async () => {
    for (const fault of ["request", "reply", "late", "refused"] as const) {
      const desk = await anAskedDesk(HOUR);
      desk.journal.faults.push(fault);
      await desk.ask(backfill("r1"));
      await desk.pass(2_000);
      await desk.journal.arrive();
      await desk.pass(6_000);
      assert.deepEqual(await desk.answers(), ["r1 done"], fault);
      assert.deepEqual(await dueOf(desk, "a+r1"), HOURS, fault);
      assert.deepEqual((await desk.audit()).findings, [], fault);
    }
  });

  it("leaves the rhythm of the schedule and other requests alone", async () => {
    const desk = await anAskedDesk(SECOND);
    await desk.pass(2_000);
    await desk.ask(backfill("r1"));
    await desk.pass(1_000);
    await desk.ask({ id: "r2", kind: "trigger", task: "a", isObeying: false });
    await desk.pass(1_000);
    assert.deepEqual(await desk.answers(), ["r2 done"]);
    await desk.pass(5_000);
    const fires = await dueOf(desk, "a");
    assert.deepEqual(fires, fires.map((_, index) => T0 + 1_000 * (index + 1)));
    assert.equal(fires.length, 9);
    const report = await desk.audit();
    assert.deepEqual(report.findings, []);
    assert.equal(report.sum.anew, 51);
  });

  it("makes an attempt of what was published before", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1", { fires: [[HOURS[0]!, 2]] }));
    await desk.pass(300);
    const [fire] = await desk.fires("a+r1");
    assert.equal(fire!.detail.attempt, 2);
    assert.ok(desk.store.open.has(`a+r1@${HOURS[0]}#2`));
    assert.deepEqual((await desk.audit()).findings, []);
  });

  it("passes over what the schedule sends itself, or has out still", async () => {
    const desk = await anAskedDesk(SECOND);
    await desk.pass(1_000);
    await desk.clock.advance(900);
    const fires = [T0 - 1_000, T0 + 1_000, T0 + 1_500].map((dueMs) => [dueMs, 0]);
    await desk.ask(backfill("r1", { fires }));
    await desk.clock.advance(1);
    await desk.clock.advance(700);
    assert.deepEqual(await dueOf(desk, "a+r1"), [T0 - 1_000]);
    const [answer] = await desk.rows("control.answered");
    assert.deepEqual([answer!.detail.published, answer!.detail.passed], [1, 2]);
  });

  it("refuses due times to come, and a second one of the same task", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1", { fires: [[T0 + 3_600_000, 0]] }));
    await desk.ask(backfill("r2"));
    await desk.ask(backfill("r3"));
    await desk.pass(1_000);
    assert.deepEqual(await desk.answers(), ["r1 refused", "r3 refused"]);
    await desk.pass(6_000);
    assert.deepEqual((await desk.answers()).at(-1), "r2 done");
  });

  it("refuses one that was worked out while another of the same task went on, whoever leads", async () => {
    for (const isFollowed of [false, true]) {
      for (const isReadTold of [false, true]) {
        const desk = await anAskedDesk(HOUR);
        const ask = (id: string, readId?: string) =>
          desk.ask(backfill(id, { fires: [[HOURS[0]!, 0]], readId }));
        const readId = desk.store.entries.at(-1)!.id;
        await ask("r1");
        await desk.pass(1_000);
        const [fire] = await desk.fires("a+r1");
        const [end] = await desk.rows("control.answered");
        if (isFollowed) await desk.takeOver();
        // As of a journal that did not have the fire of r1.
        await ask("r2", isReadTold ? readId : undefined);
        if (!isReadTold) {
          const { text } = desk.requests.entries.pop()!;
          desk.requests.entries.push({ id: `${millisecondsOf(fire!.id) - 1}-9`, text });
        }
        await desk.pass(1_000);
        assert.deepEqual(await desk.answers(), ["r1 done", "r2 refused"]);
        await ask("r2", end!.id);
        await desk.pass(1_000);
        assert.deepEqual((await desk.answers()).at(-1), "r2 done");
      }
    }
  });

  it("does not wait for its rate to end", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1", { fires: [[HOURS[0]!, 0]], rate: 0.001 }));
    await desk.pass(1_000);
    assert.deepEqual(await desk.answers(), ["r1 done"]);
  });

  it("is refused for a defect that shows while it goes on, and ends no leader", async () => {
    const desk = await anAskedDesk(HOUR);
    // Longer ago than a date can say.
    await desk.ask(backfill("r1", { fires: [[-9e15, 0], [HOURS[0], 0]] }));
    await desk.ask(trigger("r2"));
    await desk.pass(1_000);
    assert.deepEqual((await desk.answers()).toSorted(), ["r1 refused", "r2 done"]);
    await desk.takeOver();
    await desk.pass(1_000);
    assert.equal((await desk.answers()).length, 2);
  });

  it("sends nothing anew under an id that was refused after some of its fires", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1"));
    await desk.pass(1_000);
    desk.store.foreignLists.add("a");
    await desk.pass(1_000);
    desk.store.foreignLists.clear();
    const before = await dueOf(desk, "a+r1");
    await desk.takeOver();
    await desk.ask(backfill("r1"));
    await desk.ask(backfill("r2"));
    await desk.pass(7_000);
    assert.deepEqual(await desk.answers(), ["r1 refused", "r1 refused", "r2 done"]);
    assert.ok(before.length > 0);
    assert.deepEqual(await dueOf(desk, "a+r1"), before);
    assert.deepEqual((await desk.audit()).findings, []);
  });

  it("ends where its entry is gone from the stream", async () => {
    const desk = await anAskedDesk(HOUR);
    await desk.ask(backfill("r1"));
    await desk.pass(1_000);
    desk.requests.entries.length = 0;
    await desk.takeOver();
    await desk.pass(1_000);
    assert.deepEqual(await desk.answers(), ["r1 refused"]);
    assert.deepEqual((await desk.audit()).findings, []);
  });
});
