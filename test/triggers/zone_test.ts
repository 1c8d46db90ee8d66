import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import assert from "node:assert/strict";
import { TriggerError } from "../../src/errors.ts";
import { OFFSET_MAX_MS, zoneOf } from "../../src/triggers/zone.ts";

const ids = Intl.supportedValuesOf("timeZone");
const offsetAt = (id: string, ms: number) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(id).offsetNanoseconds / 1e6;

describe("zoneOf()", () => {
  it("has Temporal's offset in each zone, in whatever order it is asked", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ids),
        fc.array(fc.integer({ min: Date.UTC(1840, 0), max: Date.UTC(2150, 0) })),
        (id, instants) => {
          const zone = zoneOf(id);
          for (const atMs of instants) {
            const { fromMs, endMs, offsetMs } = zone.at(atMs);
            assert.ok(fromMs <= atMs && atMs < endMs);
            assert.equal(offsetMs, offsetAt(id, atMs), `${id} at ${atMs}`);
            assert.ok(Math.abs(offsetMs) <= OFFSET_MAX_MS);
            if (fromMs !== -Infinity) assert.notEqual(offsetAt(id, fromMs - 1), offsetMs);
            if (endMs !== Infinity) assert.notEqual(offsetAt(id, endMs), offsetMs);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("puts the instant of a change into the stretch after it", () => {
    const zone = zoneOf("America/New_York");
    const changeMs = Date.UTC(2026, 2, 8, 7);
    assert.equal(zone.at(changeMs).fromMs, changeMs);
    assert.equal(zone.at(changeMs - 1).endMs, changeMs);
  });

  it("has one stretch where clocks never changed", () => {
    assert.deepEqual(zoneOf("UTC").at(0), { fromMs: -Infinity, endMs: Infinity, offsetMs: 0 });
  });

  it("takes names in any case, and old ones", () => {
    assert.equal(zoneOf("europe/BERLIN").at(0).offsetMs, 3_600_000);
    assert.equal(zoneOf("Asia/Calcutta").at(Date.UTC(2026, 0)).offsetMs, 19_800_000);
  });

  const suggestions = [
    ["Europe/Berln", "Europe/Berlin"],
    ["Berlin", "Europe/Berlin"],
    ["New York", "America/New_York"],
    ["America/NewYork", "America/New_York"],
  ] as const;
  for (const [name, meant] of suggestions) {
    it(`refuses ${name} and names ${meant}`, () =>
      assert.throws(() => zoneOf(name), (error) => {
        assert.ok(error instanceof TriggerError && error.input === name);
        assert.ok(error.message.includes(`got "${name}"; did you mean "${meant}"?`), error.message);
        return true;
      }));
  }
  for (const name of ["Mars/Olympus", "", "+02:00", "Z", "2026-01-01T00:00Z[Europe/Berlin]"]) {
    it(`refuses ${JSON.stringify(name)} and guesses nothing`, () =>
      assert.throws(() => zoneOf(name), /an IANA zone such as "Europe\/Berlin", got "[^;]*$/));
  }
});
