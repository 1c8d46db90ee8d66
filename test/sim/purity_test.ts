/** Inside the simulated world, the machine's time and chance are out of reach. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { ImpureError, inPureWorld } from "./purity.ts";

const IMPURE: Readonly<Record<string, () => unknown>> = {
  "Date.now": () => Date.now(),
  "new Date()": () => new Date(),
  "Date()": () => Date(),
  "performance.now": () => performance.now(),
  "Math.random": () => Math.random(),
  "crypto.randomUUID": () => crypto.randomUUID(),
  "crypto.getRandomValues": () => crypto.getRandomValues(new Uint8Array(1)),
  "setTimeout": () => setTimeout(() => {}, 0),
  "setInterval": () => setInterval(() => {}, 1_000),
  "Temporal.Now.instant": () => Temporal.Now.instant(),
  "Temporal.Now.zonedDateTimeISO": () => Temporal.Now.zonedDateTimeISO(),
};

describe("inPureWorld()", () => {
  for (const [name, ask] of Object.entries(IMPURE)) {
    it(`refuses ${name}`, () => {
      assert.throws(() => inPureWorld(ask), ImpureError);
    });
  }

  it("allows what depends on its arguments alone", () => {
    const text = inPureWorld(() => new Date(0).toISOString() + Date.UTC(1970, 0) + Date.parse(""));
    assert.equal(text, "1970-01-01T00:00:00.000Z0NaN");
  });

  it("gives all of it back, also after an error", () => {
    assert.throws(() => inPureWorld(() => Math.random()), ImpureError);
    assert.ok(Date.now() > 0 && performance.now() > 0 && Math.random() >= 0);
    assert.ok(new Date() instanceof Date);
    clearTimeout(setTimeout(() => {}, 0));
  });
});
