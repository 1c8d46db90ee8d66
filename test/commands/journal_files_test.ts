import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { writeFiles } from "../../src/commands/journal_files.ts";
import type { OpenedJournal } from "../../src/commands/open_journal.ts";
import { memoryArchive } from "../../src/memory/archive.ts";

let dir: string;
beforeEach(async () => void (dir = await Deno.makeTempDir({ prefix: "journal-files-test-" })));
afterEach(() => Deno.remove(dir, { recursive: true }));

describe("writeFiles()", () => {
  const segment = (fromMs: number) => ({
    ...{ firstId: `${fromMs}-0`, lastId: `${fromMs + 9}-0`, rows: 10 },
  });

  it("tells that rows may be there twice where some went to the archive meanwhile", async () => {
    for (const sinceMs of [null, 0, 15, 25, 35]) {
      const archive = memoryArchive();
      for (const fromMs of [10, 20]) await archive.write(segment(fromMs), []);
      const hot = {
        async *bytes() {
          await archive.write(segment(30), []);
          yield { lines: new Uint8Array(), others: [], count: 0, lastId: "" };
        },
      };
      const opened = { archive, archiveDir: dir, hot } as unknown as OpenedJournal;
      const progress = { add() {}, done() {} };
      const span = { sinceMs, untilMs: null };
      const { isDoubled } = await writeFiles(opened, span, { dir, add() {}, progress });
      assert.equal(isDoubled, true, `since ${sinceMs}`);
    }
  });
});
