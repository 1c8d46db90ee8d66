/** What cannot be declared for a task, because its message would not arrive as it was meant. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { BODY_MAX, checkArguments, checkTask } from "../../src/celery/check_task.ts";
import type { Task } from "../../src/task.ts";
import { aTask } from "../support/build.ts";

const circular: Record<string, unknown> = {};
circular["itself"] = circular;
let deep: unknown = [];
for (let level = 0; level < 200; level++) deep = [deep];

const REFUSED: [name: string, value: unknown, wanted: RegExp][] = [
  ["NaN", NaN, /`args\[0\]` to be a finite number, got NaN/],
  ["Infinity", -Infinity, /finite number, got -Infinity/],
  ["an integer that lost digits", 2 ** 53, /within 2\^53, got 9007199254740992.*as text/],
  ["a bigint", 1n, /to be JSON, got a bigint/],
  ["undefined", undefined, /to be JSON, got undefined/],
  ["a function", () => 1, /to be JSON, got a function/],
  ["a symbol", Symbol("s"), /to be JSON, got a symbol/],
  ["a Date", new Date(0), /got an object of class Date; write it as text/],
  ["a Map", new Map(), /class Map/],
  ["an object that writes itself", { toJSON: () => 1 }, /toJSON/],
  ["a typed object of Kombu", { __type__: "uuid", __value__: "x" }, /__type__/],
  ["half a surrogate pair", "a\ud800", /well-formed text/],
  ["half a pair in a key", { "\udc00": 1 }, /well-formed keys/],
  ["a cycle", circular, /`args\[0\]\.itself` to be JSON, got an object that contains itself/],
  ["a hundred levels", deep, /nested at most 100 deep/],
  // deno-lint-ignore no-sparse-arrays
  ["a hole in an array", [1, , 3], /`args\[0\]\[1\]` to be JSON, got undefined/],
];

describe("checkArguments()", () => {
  for (const [name, value, wanted] of REFUSED) {
    it(`refuses ${name}, wherever it stands`, () => {
      assert.match(checkArguments([value], {}, {}).join("\n"), wanted);
      assert.equal(checkArguments([], { deep: { inside: [value] } }, {}).length, 1);
      assert.equal(checkArguments([], {}, { "x-own": value }).length, 1);
    });
  }

  it("accepts JSON", () => {
    const shared = { a: 1 };
    const args = [null, true, 1, -1.5, 1e-9, 2 ** 53 - 1, "ä😀\u0000", [[]], {}, shared, shared];
    const kwargs = { __type__: "alone", nested: { __type__: 1, __value__: 2, third: 3 } };
    assert.deepEqual(checkArguments(args, kwargs, { "x-tenant": "gold", trace: { id: 1 } }), []);
  });

  it("refuses a body over its bound, and says how much it is", () => {
    const text = "x".repeat(BODY_MAX);
    assert.match(checkArguments([text], {}, {}).join(), /at most 1048576 bytes.*got 1398\d+/);
    assert.deepEqual(checkArguments([text.slice(0, BODY_MAX / 2)], {}, {}), []);
  });

  it("refuses headers over their bound", () => {
    assert.deepEqual(checkArguments([], {}, { baggage: "x".repeat(60_000) }), []);
    const [problem = ""] = checkArguments([], {}, { baggage: "x".repeat(70_000) });
    assert.match(problem, /`headers` to take at most 65536 characters as JSON/);
  });

  it("refuses arguments of another shape", () => {
    assert.match(checkArguments({} as never, {}, {}).join(), /`args` to be a list/);
    assert.match(checkArguments([], [] as never, {}).join(), /`kwargs` to be a mapping/);
  });

  it("keeps the protocol's and Beat's headers from being overridden", () => {
    const taken = ["id", "task", "expires", "eta", "ignore_result", "compression", "stamps"];
    const hiding = ["args", "delivery_info", "get", "_protected", "x-beat-due", "X-Beat-Fire-Id"];
    for (const name of [...taken, ...hiding, "periodic_task_name", "", "a\nb"]) {
      assert.equal(checkArguments([], {}, { [name]: "x" }).length, 1, name);
    }
  });
});

describe("checkTask()", () => {
  const problems: [Partial<Task>, RegExp][] = [
    [{ queue: "" }, /`queue`/],
    [{ queue: "q\x06\x163" }, /`queue`.*control/],
    [{ queue: "unacked" }, /Celery's own keys/],
    [{ queue: "_kombu.binding.q" }, /Celery's own keys/],
    [{ celeryTask: " " }, /`celeryTask`/],
    [{ celeryTask: "shop.report " }, /`celeryTask`.*without blanks at its ends/],
    [{ queue: " celery" }, /`queue`.*without blanks at its ends/],
    [{ celeryTask: "a\nb" }, /`celeryTask`/],
    [{ celeryTask: "x".repeat(256) }, /1 to 255/],
    [{ expiresMs: 0 }, /`expires`.*got 0 ms/],
    [{ expiresMs: 1.5 }, /`expires`/],
    [{ expiresMs: 1e15 }, /`expires`/],
    [{ priority: 10 }, /`priority` to be 0 to 9, got 10/],
    [{ priority: 1.5 }, /`priority`/],
    [{ timeLimitS: 0 }, /`timeLimitS`/],
    [{ softTimeLimitS: NaN }, /`softTimeLimitS`/],
  ];
  for (const [own, wanted] of problems) {
    it(`refuses ${JSON.stringify(own).slice(0, 60)}`, () => {
      assert.match(checkTask(aTask(own)).join("\n"), wanted);
    });
  }

  it("accepts an ordinary task", () => {
    const own = { queue: "über q", expiresMs: 1, priority: 9, timeLimitS: 0.5 };
    assert.deepEqual(checkTask(aTask(own)), []);
  });
});
