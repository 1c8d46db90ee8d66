/** Result documents as real workers stored them. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeLongResult, decodeResult } from "../../src/celery/result.ts";

const { results } = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/celery/result-backend-metas.json", import.meta.url)),
) as { results: Record<string, { value: Record<string, unknown> }> };

function decodeFixture(name: string) {
  return decodeResult(JSON.stringify(results[name]!.value));
}

describe("decodeResult()", () => {
  it("reads a success, its time taken as UTC where it has no offset", () => {
    assert.deepEqual(decodeFixture("SUCCESS"), {
      status: "SUCCESS",
      doneMs: Date.UTC(2026, 10, 24, 18, 55, 26, 991),
      revokedAs: null,
      worker: null,
    });
  });

  it("reads a time with an offset, as Celery writes it from 5.4 on", () => {
    const done = (date_done: unknown) =>
      decodeResult(JSON.stringify({ status: "SUCCESS", date_done }))?.doneMs;
    const expected = Date.UTC(2026, 10, 24, 18, 55, 26, 991);
    assert.equal(done("2026-11-24T18:55:26.991122+00:00"), expected);
    assert.equal(done("2026-11-25T02:55:26.991122+08:00"), expected);
    assert.equal(done("2026-11-24T18:55:26"), expected - 991);
    assert.equal(done("yesterday"), null);
  });

  it("knows how a task was revoked", () => {
    assert.equal(decodeFixture("REVOKED_expired")?.revokedAs, "expired");
    assert.equal(decodeFixture("REVOKED_revoked")?.revokedAs, "revoked");
    const text = '{"status":"REVOKED","result":{"exc_message":"terminated"}}';
    assert.equal(decodeResult(text)?.revokedAs, "terminated");
  });

  it("reads from the ends of a long document what it reads from the whole", () => {
    const ends = (text: string) => decodeLongResult(text.slice(0, 4_096), text.slice(-4_096));
    // A result may say anything, also what a document says.
    const said = '{"status": "FAILURE", "date_done": "2020-01-01T00:00:00", "worker": "w9"}';
    for (const [name, { value }] of Object.entries(results)) {
      if (value["status"] === "REVOKED") continue;
      const long = { ...value, result: `${said}${"x".repeat(9_000)}${said}` };
      const python = JSON.stringify(long).replaceAll('":', '": ').replaceAll(',"', ', "');
      for (const text of [JSON.stringify(long), python]) {
        assert.deepEqual(ends(text), decodeResult(text), name);
      }
    }
    assert.equal(decodeLongResult("[1, 2", "3]"), null);
  });

  it("does not take STARTED and RETRY for ends", () => {
    assert.deepEqual(decodeFixture("STARTED"), {
      status: "STARTED",
      doneMs: null,
      revokedAs: null,
      worker: "w1@host",
    });
    assert.equal(decodeFixture("RETRY")?.doneMs, null);
    const custom = '{"status":"PROGRESS","date_done":"2026-11-24T18:55:26.991122"}';
    assert.equal(decodeResult(custom)?.doneMs, null);
  });

  it("reads every document that a worker stored", () => {
    for (const [name, { value }] of Object.entries(results)) {
      const result = decodeFixture(name);
      assert.equal(result?.status, value["status"]);
      assert.equal(result?.doneMs === null, value["date_done"] === null, name);
      assert.equal(result?.revokedAs === null, value["status"] !== "REVOKED", name);
    }
  });

  it("names the worker where the app stores it", () => {
    const text = '{"status":"SUCCESS","date_done":null,"worker":"w2@host"}';
    assert.equal(decodeResult(text)?.worker, "w2@host");
  });

  it("is null for anything else", () => {
    for (const text of ["", "null", "[]", "{}", '{"status":1}', '{"status":""}', "x"]) {
      assert.equal(decodeResult(text), null);
    }
    fc.assert(fc.property(fc.json(), (text) => {
      decodeResult(text);
    }));
  });
});
