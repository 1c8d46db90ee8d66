import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { decodeRequest, encodeRequest } from "../src/request.ts";

const HEAD = { id: "r1", who: "ada@desk", note: "" };
const read = (value: unknown) => decodeRequest({ id: "1-0", text: JSON.stringify(value) });

describe("decodeRequest()", () => {
  it("reads what was written", () => {
    const requests = [
      { ...HEAD, kind: "trigger", task: "a", isObeying: true, args: [1], kwargs: { a: null } },
      { ...HEAD, kind: "backfill", task: "a", fires: [[1, 0], [2, 3]], rate: 0.5 },
      { ...HEAD, kind: "backfill", task: "a", fires: [[1, 0]], rate: 1, readId: "17-3" },
      { ...HEAD, kind: "pause", task: null },
      { ...HEAD, kind: "resume", task: "a" },
    ] as const;
    for (const request of requests) {
      const text = encodeRequest(request as Parameters<typeof encodeRequest>[0]);
      assert.deepEqual(decodeRequest({ id: "1-0", text }), { request: { v: 1, ...request } });
    }
  });

  it("passes over fields that a newer build adds", () => {
    const decoded = read({ v: 2, ...HEAD, kind: "pause", task: "a", untilMs: 5 });
    assert.ok("request" in decoded);
  });

  for (
    const [what, value, problem] of [
      ["no object", [1], /.+/],
      ["a kind that it does not know", { v: 1, ...HEAD, kind: "erase", task: "a" }, /^kind/],
      ["an id with a space", { v: 1, ...HEAD, id: "a b", kind: "pause", task: "a" }, /^id: /],
      ["an id with a plus", { v: 1, ...HEAD, id: "a+b", kind: "pause", task: "a" }, /^id: /],
      ["no task's name", { v: 1, ...HEAD, kind: "pause", task: "a@1" }, /^task: /],
      ["two lines", { v: 1, ...HEAD, note: "a\nb", kind: "pause", task: "a" }, /^note: /],
      [
        "due times out of order",
        { v: 1, ...HEAD, kind: "backfill", task: "a", rate: 1, fires: [[2, 0], [1, 0]] },
        /^fires: .*in order/,
      ],
      ["no fires", { v: 1, ...HEAD, kind: "backfill", task: "a", rate: 1, fires: [] }, /^fires/],
      [
        "a rate of nought",
        { v: 1, ...HEAD, kind: "backfill", task: "a", rate: 0, fires: [[1, 0]] },
        /^rate/,
      ],
      [
        "a row's id that is none",
        { v: 1, ...HEAD, kind: "backfill", task: "a", rate: 1, fires: [[1, 0]], readId: "now" },
        /^readId/,
      ],
    ] as const
  ) {
    it(`refuses ${what}`, () => {
      const decoded = read(value);
      assert.ok("problem" in decoded);
      assert.match(decoded.problem, problem);
    });
  }

  it("says who asked, where that can be read", () => {
    const decoded = read({ v: 1, id: "mine", kind: "erase" });
    assert.ok("problem" in decoded);
    assert.equal(decoded.id, "mine");
  });
});
