/** Worker events as a real worker published them. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeEvents } from "../../src/celery/worker_event.ts";

const fixture = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/celery/events.json", import.meta.url)),
) as {
  one_of_each: Record<string, { body_is_list: boolean; event: Record<string, unknown> }>;
  one_whole_batch: { envelope: unknown };
};

function payloadOf(body: unknown): string {
  const properties = { delivery_info: { exchange: "celeryev" }, body_encoding: "base64" };
  return JSON.stringify({ body: btoa(JSON.stringify(body)), properties });
}

function decodeOne(name: string) {
  const { event, body_is_list: isList } = fixture.one_of_each[name]!;
  const hints = decodeEvents(payloadOf(isList ? [event] : event));
  assert.equal(hints.length, 1);
  return hints[0];
}

describe("decodeEvents()", () => {
  it("reads a whole batch in its order", () => {
    const hints = decodeEvents(JSON.stringify(fixture.one_whole_batch.envelope));
    assert.deepEqual(hints.map((hint) => hint.kind === "event" && hint.type), [
      "received",
      "started",
      "started",
    ]);
    assert.deepEqual(hints[1], {
      kind: "event",
      taskId: "7e089f9f-65d9-4e37-ac14-691f9bc17263",
      type: "started",
      worker: "w1@host",
      atMs: 1795546526987,
      runtimeMs: null,
      isExpired: false,
    });
  });

  it("reads each kind of task event", () => {
    const types = ["received", "started", "succeeded", "failed", "retried"];
    for (const type of types) {
      const hint = decodeOne(`task-${type}`);
      assert.ok(hint?.kind === "event" && hint.type === type);
    }
    const succeeded = decodeOne("task-succeeded");
    assert.ok(succeeded?.kind === "event" && succeeded.runtimeMs === 15);
  });

  it("tells an expired message from one that a person revoked", () => {
    const isExpired = (name: string) => {
      const hint = decodeOne(name);
      return hint?.kind === "event" && hint.type === "revoked" && hint.isExpired;
    };
    assert.equal(isExpired("task-revoked-expired"), true);
    assert.equal(isExpired("task-revoked-by-request"), false);
  });

  it("reads what workers say of themselves", () => {
    for (const name of ["worker-online", "worker-heartbeat", "worker-offline"]) {
      const { pid, processed } = fixture.one_of_each[name]!.event as Record<string, unknown>;
      assert.deepEqual(decodeOne(name), {
        kind: "worker",
        worker: "w1@host",
        isOnline: name !== "worker-offline",
        processId: pid,
        processed,
        beatMs: 2_000,
      });
    }
  });

  it("does without what a worker does not say of itself", () => {
    const event = { type: "worker-heartbeat", hostname: "w1@host" };
    const [hint] = decodeEvents(payloadOf(event));
    assert.deepEqual(hint, { kind: "worker", worker: "w1@host", isOnline: true });
  });

  it("accepts an object and a list for either kind", () => {
    for (const name of ["worker-online", "task-started"]) {
      const { event } = fixture.one_of_each[name]!;
      assert.deepEqual(decodeEvents(payloadOf([event])), decodeEvents(payloadOf(event)));
    }
  });

  it("reads a body that is plain text", () => {
    const { event } = fixture.one_of_each["worker-online"]!;
    assert.equal(decodeEvents(JSON.stringify({ body: JSON.stringify(event) })).length, 1);
  });

  it("passes over what it does not know, and keeps the rest", () => {
    const { event } = fixture.one_of_each["task-started"]!;
    const strangers = [null, 1, [], {}, { type: "task-sent", hostname: "c", uuid: "x" }, {
      ...event,
      type: "constructor",
    }, { ...event, uuid: undefined }];
    assert.equal(decodeEvents(payloadOf([...strangers, event])).length, 1);
  });

  it("gives nothing for anything else", () => {
    for (const text of ["", "x", "{}", '{"body":"%"}', payloadOf(null), payloadOf("x")]) {
      assert.deepEqual(decodeEvents(text), []);
    }
    fc.assert(fc.property(fc.json(), (text) => decodeEvents(text).length === 0));
  });
});
