import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { lineOf } from "../../src/archive/line.ts";
import type { JournalRow } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import { ArchiveError } from "../../src/errors.ts";
import type { Archive } from "../../src/ports.ts";
import { retain } from "../../src/retain/retain.ts";
import { FENCE, retained } from "../support/retained.ts";
import { skipStep, T0 } from "../support/steps.ts";

const ROWS = 10;
const NOW_MS = T0 + 1_000_000;

describe("retain() on an archive with a file that cannot be read to its end", () => {
  const damages: Record<string, (archive: Archive) => Partial<Archive>> = {
    "ends too soon": (archive) => ({
      async *read(segment) {
        for await (const lines of archive.read(segment)) yield lines.slice(1);
      },
    }),
    "is torn": () => ({
      // deno-lint-ignore require-yield
      async *read() {
        throw new ArchiveError("torn");
      },
    }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`cuts nothing off for the sake of one that ${what}`, async () => {
      const none = { entries: [], cursors: new Map(), open: new Map(), lists: new Map() };
      const kept = retained(none, NOW_MS);
      for (let at = 0; at < ROWS; at++) {
        const after = at === 0 ? null : T0 + at - 1;
        await kept.journal.commit([skipStep(after, T0 + at)], FENCE);
      }
      kept.journal.store.entries.forEach((entry, at) => {
        Object.assign(entry, { id: `${NOW_MS - (ROWS - at) * 60_000}-0` });
      });
      const rows = kept.journal.store.entries.map(({ id, fields }) =>
        decodeRow(id, fields) as JournalRow
      );
      const some = rows.slice(0, 3);
      const segment = { firstId: some[0]!.id, lastId: some[2]!.id, rows: 3 };
      await kept.archive.write(segment, some.map(lineOf));
      const parts = kept.parts({ keepMs: 240_000, maxBytes: 1e9 });
      const archive = { ...kept.archive, ...damage(kept.archive) };
      const done = await retain({ ...parts, archive }, FENCE, new AbortController().signal);
      assert.ok(done.kind === "kept" && done.rows > 3);
      const written = [...kept.archive.files.values()].filter((each) =>
        each.segment.lastId !== segment.lastId
      ).flatMap(({ lines }) => lines);
      assert.deepEqual(written.slice(0, 3), some.map(lineOf));
    });
  }
});
