import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { archiveCheck, journalCheck } from "../../src/commands/doctor_journal.ts";
import { T0 } from "../support/build.ts";

const DAY = 86_400_000;
const LIMITS = { keepMs: 7 * DAY, maxBytes: 256_000_000, archive: "a" };
const SIZE = { rows: 2_000_000, bytes: 100_000_000, firstMs: T0 - 2 * DAY, lastMs: T0 };

describe("journalCheck()", () => {
  it("says how much of it fits at the present rate", () => {
    const { level, text } = journalCheck(SIZE, LIMITS, T0);
    assert.equal(level, "fine");
    assert.match(
      text,
      /2000000 rows back to 2 ?d.*1000000 rows a day, 47\.7 MiB a day, 5 ?d.* fit/,
    );
  });

  it("warns where nothing has been cut off for long", () => {
    for (
      const size of [
        { ...SIZE, bytes: 400_000_000 },
        { ...SIZE, firstMs: T0 - 9 * DAY },
      ]
    ) {
      const { level, advice } = journalCheck(size, LIMITS, T0);
      assert.equal(level, "warning");
      assert.match(advice!, /archive/);
    }
  });

  it("has nothing to say of an empty one, nor of a rate after a minute", () => {
    const empty = { rows: 0, bytes: null, firstMs: null, lastMs: null };
    assert.equal(journalCheck(empty, LIMITS, T0).text, "empty");
    const young = { ...SIZE, firstMs: T0 - 60_000 };
    assert.doesNotMatch(journalCheck(young, LIMITS, T0).text, /a day/);
  });
});

describe("archiveCheck()", () => {
  it("says what there is, and where it cannot be written or read", () => {
    const there = { segments: 1, rows: 25_000 };
    const known = { problem: null, goneRows: 25_000 };
    assert.deepEqual(archiveCheck("a/b", there, known).level, "fine");
    assert.match(archiveCheck("a/b", there, known).text, /a\/b: 25000 rows in 1 file$/);
    const denied = archiveCheck("a/b", there, { ...known, problem: "disk full" });
    assert.deepEqual([denied.level, /disk full/.test(denied.text)], ["warning", true]);
    assert.equal(archiveCheck("a/b", "expected …", known).level, "warning");
  });

  it("warns of an empty one where rows have left Redis: it is another directory than the leader's", () => {
    const none = { segments: 0, rows: 0 };
    const { level, text } = archiveCheck("a/b", none, { problem: null, goneRows: 7 });
    assert.deepEqual([level, text], ["warning", "a/b: 0 rows in 0 files, and 7 rows left Redis"]);
    assert.equal(archiveCheck("a/b", none, { problem: null, goneRows: 0 }).level, "fine");
  });
});
