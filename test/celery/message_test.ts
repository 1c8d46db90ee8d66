/** Messages against the ones that the real `celery beat` sent for the same entry. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  decodeMessage,
  decodeUnacked,
  listOf,
  messageOf,
  type MessageParts,
} from "../../src/celery/message.ts";
import { parseTimeText } from "../../src/celery/time_text.ts";
import { MessageError } from "../../src/errors.ts";
import type { Task } from "../../src/task.ts";
import { aTask } from "../support/build.ts";

const TRANSPORT = { sep: "\x06\x16", prioritySteps: [0, 3, 6, 9] };
const PUBLISHED_MS = Date.UTC(2026, 10, 24, 18, 51, 15, 971);
const PARTS: MessageParts = {
  taskId: "5d1d20ee-8807-5859-8b19-240415e97950",
  deliveryTag: "5d1d20ee-8807-5859-8b19-240415e97950.3",
  fireId: "report@1795546275000",
  dueMs: 1795546275000,
  publishedMs: PUBLISHED_MS,
};

interface Envelope {
  body: string;
  headers: Record<string, unknown>;
  properties: Record<string, unknown>;
}

function fixture(name: string) {
  return JSON.parse(
    Deno.readTextFileSync(new URL(`../fixtures/celery/${name}.json`, import.meta.url)),
  );
}

function render(task: Task, parts: Partial<MessageParts> = {}): Envelope {
  return JSON.parse(messageOf(task, "beat@host").render({ ...PARTS, ...parts }));
}

function bodyOf(envelope: Envelope): unknown {
  return JSON.parse(Buffer.from(envelope.body, "base64").toString("utf8"));
}

/** Differs on purpose: who sent it, its ids, and where an answer would go to. */
const OWN_HEADERS = ["lang", "id", "root_id", "origin", "expires"];
const OWN_PROPERTIES = ["correlation_id", "reply_to", "delivery_tag"];
const ADDED_HEADERS = ["periodic_task_name", "x-beat-fire-id", "x-beat-due", "x-beat-published"];
/** What the entry of this fixture asked for and Beat does not offer. */
const NOT_OFFERED: Record<string, string[]> = { "beat-limits-eta-shadow": ["eta", "shadow"] };

const GOLDEN: Record<string, Partial<Task>> = {
  "beat-interval": {},
  "beat-interval-default-queue": {},
  "beat-crontab": {},
  "beat-options": {
    expiresMs: 30_000,
    priority: 5,
    headers: { "x-beat": "entry-7", x_num: 3 },
  },
  "beat-priority-0": { priority: 0 },
  "beat-priority-9": { priority: 9 },
  "beat-ignore-result-option": { ignoreResult: true },
  "beat-ignore-result-task": { celeryTask: "check.quiet", ignoreResult: true },
  "beat-unregistered-task": { expiresMs: 30_500 },
  "beat-tz-shanghai-expires-utc": { expiresMs: 30_500 },
  "beat-tz-shanghai-expires-no-utc": { expiresMs: 30_500 },
  "beat-limits-eta-shadow": { timeLimitS: 60, softTimeLimitS: 50 },
};

function without(members: Record<string, unknown>, names: readonly string[]) {
  return Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)));
}

describe("messageOf() against the real celery beat", () => {
  for (const [name, own] of Object.entries(GOLDEN)) {
    it(`sends the same as ${name}`, () => {
      const { source_entry: entry, envelope: theirs, body_decoded: body, list_key: list } = fixture(
        name,
      );
      const task = aTask({
        celeryTask: entry.task,
        args: body[0],
        kwargs: body[1],
        queue: theirs.properties.delivery_info.routing_key,
        ...own,
      });
      const expiresMs = parseTimeText(theirs.headers.expires);
      const ours = render(
        task,
        expiresMs === null ? {} : { publishedMs: expiresMs - task.expiresMs! },
      );
      const skipped = [...OWN_HEADERS, ...NOT_OFFERED[name] ?? []];

      assert.deepEqual(bodyOf(ours), body);
      assert.deepEqual(
        without(ours.headers, [...skipped, ...ADDED_HEADERS]),
        without(theirs.headers, skipped),
      );
      assert.deepEqual(
        without(ours.properties, OWN_PROPERTIES),
        without(theirs.properties, OWN_PROPERTIES),
      );
      assert.deepEqual(without({ ...ours }, ["body", "headers", "properties"]), {
        "content-encoding": "utf-8",
        "content-type": "application/json",
      });
      assert.equal(parseTimeText(ours.headers["expires"]), expiresMs);
      // No member more or fewer than theirs, but for Beat's own.
      assert.deepEqual(
        Object.keys(ours.headers).filter((key) => !ADDED_HEADERS.includes(key)).sort(),
        Object.keys(theirs.headers).sort(),
      );
      assert.deepEqual(Object.keys(ours.properties).sort(), Object.keys(theirs.properties).sort());
      assert.equal(listOf(task.queue, task.priority, TRANSPORT), list);
    });
  }
});

describe("messageOf()", () => {
  it("puts the ids where workers and tools look for them", () => {
    const { headers, properties } = render(aTask({ name: "report", queue: "q" }));
    assert.equal(headers["id"], PARTS.taskId);
    assert.equal(headers["root_id"], PARTS.taskId);
    assert.equal(headers["lang"], "js");
    assert.equal(headers["origin"], "beat@host");
    assert.equal(headers["periodic_task_name"], "report");
    assert.equal(headers["x-beat-fire-id"], PARTS.fireId);
    assert.equal(headers["x-beat-due"], "2026-11-24T18:51:15.000000+00:00");
    assert.equal(headers["x-beat-published"], "2026-11-24T18:51:15.971000+00:00");
    assert.equal(properties["correlation_id"], PARTS.taskId);
    assert.equal(properties["delivery_tag"], PARTS.deliveryTag);
    assert.equal(properties["reply_to"], "");
  });

  it("counts expires from the publish time, not from the due time", () => {
    const { headers } = render(aTask({ expiresMs: 1_500 }), { dueMs: 0 });
    assert.equal(headers["expires"], "2026-11-24T18:51:17.471000+00:00");
  });

  it("names every problem of a task at once", () => {
    const task = aTask({ args: [NaN], headers: { id: "mine" }, queue: "" });
    assert.throws(() => messageOf(task, "beat@host"), (error) => {
      assert.ok(error instanceof MessageError);
      assert.match(error.message, /args\[0\].*NaN/);
      assert.match(error.message, /"id"/);
      assert.match(error.message, /queue/);
      return true;
    });
  });

  it("carries any JSON to the worker unchanged", () => {
    const json = fc.jsonValue({ depthSize: "small", stringUnit: "grapheme" });
    const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
    fc.assert(
      fc.property(fc.array(json), fc.dictionary(fc.string(), json), (args, kwargs) => {
        fc.pre(!/"__(type|value)__"/.test(JSON.stringify([args, kwargs])));
        fc.pre(!hasLargeInteger([args, kwargs]));
        const [gotArgs, gotKwargs, embed] = bodyOf(render(aTask({ args, kwargs }))) as unknown[];
        assert.deepEqual([gotArgs, gotKwargs], plain([args, kwargs]));
        assert.deepEqual(embed, { callbacks: null, errbacks: null, chain: null, chord: null });
      }),
      { numRuns: 100 },
    );
  });

  it("carries a large argument", () => {
    const args = ["é".repeat(300_000)];
    assert.deepEqual((bodyOf(render(aTask({ args }))) as unknown[])[0], args);
  });
});

function hasLargeInteger(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (value === null || typeof value !== "object") return false;
  return Object.values(value).some(hasLargeInteger);
}

describe("listOf()", () => {
  it("puts each priority into the greatest step not above it", () => {
    const lists = Array.from({ length: 10 }, (_, priority) => listOf("q", priority, TRANSPORT));
    const [three, six, nine] = ["q\x06\x163", "q\x06\x166", "q\x06\x169"];
    assert.deepEqual(lists, ["q", "q", "q", three, three, three, six, six, six, nine]);
    assert.equal(listOf("q", null, TRANSPORT), "q");
  });

  it("follows a deployment's own separator and steps", () => {
    const transport = { sep: ":", prioritySteps: [0, 1, 2] };
    assert.equal(listOf("q", 9, transport), "q:2");
    assert.equal(listOf("q", 1, transport), "q:1");
  });

  it("uses only lists that workers serve when no step is low enough", () => {
    assert.equal(listOf("q", 1, { sep: ":", prioritySteps: [3, 6] }), "q:6");
  });
});

describe("decodeMessage()", () => {
  it("reads back what was rendered", () => {
    const bytes = messageOf(aTask({ expiresMs: 2_000 }), "beat@host").render(PARTS);
    assert.deepEqual(decodeMessage(bytes), {
      taskId: PARTS.taskId,
      deliveryTag: PARTS.deliveryTag,
      publishedMs: PUBLISHED_MS,
      expiresMs: PUBLISHED_MS + 2_000,
      isRedelivered: false,
      bytes,
    });
  });

  it("reads a message that a worker put back", () => {
    const { raw } = fixture("redelivered-message");
    const message = decodeMessage(raw);
    assert.equal(message.isRedelivered, true);
    assert.equal(message.taskId, "11a53411-bd3d-4298-89bb-295eeca54e50");
    assert.equal(message.publishedMs, null);
  });

  it("reads every message of other clients", () => {
    for (const name of ["client-expires-datetime", "beat-options", "beat-compressed-zlib"]) {
      const { raw, envelope } = fixture(name);
      const message = decodeMessage(raw);
      assert.equal(message.taskId, envelope.headers.id);
      assert.equal(message.deliveryTag, envelope.properties.delivery_tag);
    }
  });

  it("says of anything else that it is no message", () => {
    for (const text of ["", "garbage", "[1,2]", "{}", "null", '{"headers":[]}', '{"headers":1}']) {
      assert.equal(decodeMessage(text).taskId, "");
      assert.equal(decodeMessage(text).bytes, text);
    }
    fc.assert(fc.property(fc.json(), (text) => decodeMessage(text).bytes === text));
  });
});

describe("decodeUnacked()", () => {
  it("reads what a worker has reserved", () => {
    const { entries } = fixture("unacked-entry");
    for (const { field, value_raw: raw, value_decoded: decoded } of entries) {
      const message = decodeUnacked(raw);
      assert.equal(message.deliveryTag, field);
      assert.equal(message.taskId, decoded[0].headers.id);
    }
  });

  it("says of anything else that it is no message", () => {
    for (const text of ["", "{}", "[]", "[[]]"]) assert.equal(decodeUnacked(text).taskId, "");
  });
});
