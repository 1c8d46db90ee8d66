import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import { acrossJournal, acrossPages, passingOver } from "../../src/archive/across.ts";
import { directoryArchive } from "../../src/archive/directory.ts";
import { foreignLine, isForeign, lineOf, readLine } from "../../src/archive/line.ts";
import { inOrder } from "../../src/archive/segments.ts";
import { ArchiveError } from "../../src/errors.ts";
import type { JournalRow } from "../../src/event.ts";
import { memoryArchive } from "../../src/memory/archive.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import type { Archive, ReadRange, Segment } from "../../src/ports.ts";
import { T0 } from "../support/build.ts";
import { until } from "../support/until.ts";

describe("directoryArchive()", () => {
  let dir: string;
  let archive: Archive;
  beforeEach(async () => {
    dir = await Deno.makeTempDir({ prefix: "archive-test-" });
    archive = directoryArchive(`${dir}/a/b`, "host:1:x");
  });
  afterEach(() => Deno.remove(dir, { recursive: true }));

  it("keeps what was written, as files that any program reads", async () => {
    const rows = [aRow(1), aRow(2), aRow(3)];
    assert.deepEqual(await archive.list(), []);
    await archive.write(segmentOf(rows), rows.map(lineOf));
    assert.deepEqual(await archive.list(), [segmentOf(rows)]);
    assert.deepEqual(await rowsIn(archive, segmentOf(rows)), rows);
    const [file] = [...Deno.readDirSync(`${dir}/a/b`)];
    assert.equal(file!.name, `${rows[0]!.id}_${rows[2]!.id}_3.ndjson.gz`);
    const text = gunzipSync(Deno.readFileSync(`${dir}/a/b/${file!.name}`)).toString();
    const [first] = text.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([first.id, first.type, first.task], [rows[0]!.id, "fire.skipped", "a"]);
  });

  it("takes the same twice, and keeps away from what another has not finished", async () => {
    const rows = [aRow(1), aRow(2)];
    await archive.write(segmentOf(rows), rows.map(lineOf));
    const name = `${dir}/a/b/${rows[0]!.id}_${rows[1]!.id}_2.ndjson.gz`;
    await Deno.writeTextFile(`${name}.host-2.part`, "half of i");
    const other = directoryArchive(`${dir}/a/b`, "host:2:y");
    await Promise.all([
      other.write(segmentOf(rows), rows.map(lineOf)),
      archive.write(segmentOf(rows), rows.map(lineOf)),
    ]);
    assert.deepEqual(await archive.list(), [segmentOf(rows)]);
    assert.deepEqual(await rowsIn(other, segmentOf(rows)), rows);
  });

  it("says why it cannot be written to, and leaves nothing behind", async () => {
    assert.equal(await archive.problem(), null);
    assert.deepEqual([...Deno.readDirSync(`${dir}/a/b`)], []);
    await Deno.writeTextFile(`${dir}/file`, "");
    const wrong = directoryArchive(`${dir}/file/below`, "x");
    assert.match(String(await wrong.problem()), /ENOTDIR|EEXIST|not a directory/i);
    await assert.rejects(wrong.write(segmentOf([aRow(1)]), ["{}"]), ArchiveError);
  });

  it("does not take a damaged file for the whole", async () => {
    const rows = Array.from({ length: 2_000 }, (_, at) => aRow(at));
    await archive.write(segmentOf(rows), rows.map(lineOf));
    const [file] = [...Deno.readDirSync(`${dir}/a/b`)];
    const path = `${dir}/a/b/${file!.name}`;
    Deno.truncateSync(path, Deno.statSync(path).size - 100);
    await assert.rejects(rowsIn(archive, segmentOf(rows)), ArchiveError);
  });

  it("leaves no file open where somebody has seen enough", async () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => aRow(at));
    await archive.write(segmentOf(rows), rows.map((row) => lineOf(row) + crypto.randomUUID()));
    const isOpen = async () => {
      const list = new Deno.Command("ls", { args: ["-l", `/proc/${Deno.pid}/fd`] });
      return new TextDecoder().decode((await list.output()).stdout).includes(dir);
    };
    for await (const _ of archive.read(segmentOf(rows))) {
      assert.equal(await isOpen(), true);
      break;
    }
    await until(async () => !await isOpen());
  });

  it("does not take an empty file for one without rows, and puts a whole one in its place", async () => {
    const rows = [aRow(1), aRow(2)];
    const path = `${dir}/a/b/${rows[0]!.id}_${rows[1]!.id}_2.ndjson.gz`;
    await Deno.mkdir(`${dir}/a/b`, { recursive: true });
    for (const bytes of [new Uint8Array(), gzipSync(`${lineOf(rows[0]!)}\n`)]) {
      await Deno.writeFile(path, bytes);
      await assert.rejects(rowsIn(archive, segmentOf(rows)), ArchiveError);
      await archive.write(segmentOf(rows), rows.map(lineOf));
      assert.deepEqual(await rowsIn(archive, segmentOf(rows)), rows);
    }
  });
});

describe("passingOver()", () => {
  it("reads the rows of all other segments, and says which one it left out", async () => {
    const all = Array.from({ length: 9 }, (_, at) => aRow(at));
    const archive = await archived(all.slice(0, 6), 2);
    const [damaged] = await archive.list();
    const damage: string[] = [];
    const source = passingOver({
      list: () => archive.list(),
      async *read(segment) {
        if (segment.firstId !== damaged!.firstId) return yield* archive.read(segment);
        throw new ArchiveError("torn");
      },
    }, ({ message }) => damage.push(message));
    const across = acrossJournal(source, hotOf(all.slice(6)));
    const readable = all.map(({ id }) => id).slice(damaged!.rows);
    assert.deepEqual(await idsOf(across.read({ from: "-", to: "+" })), readable);
    assert.deepEqual(await idsOf(across.readBack({ from: "-", to: "+" })), readable.toReversed());
    assert.deepEqual(damage, ["torn", "torn"]);
  });
});

describe("a line of a segment", () => {
  it("is read as the row that it was made of", () => {
    for (
      const row of [aRow(1), { ...aRow(2), dueMs: null, task: "", detail: { x: [null, "ü"] } }]
    ) {
      assert.deepEqual(readLine(lineOf(row)), row);
    }
    const foreign = { id: "1-1", why: "no row" };
    assert.deepEqual(readLine(foreignLine(foreign)), foreign);
    assert.ok(isForeign(readLine("{")));
    assert.ok(isForeign(readLine('{"id":"5-1","v":1}')));
  });
});

describe("inOrder()", () => {
  it("leaves out what lies within another", () => {
    const of = (from: number, to: number) => segmentOf([aRow(from), aRow(to)]);
    const all = [of(5, 8), of(1, 2), of(1, 4), of(5, 8), of(3, 4), of(7, 9)];
    assert.deepEqual(inOrder(all), [of(1, 4), of(5, 8), of(7, 9)]);
  });
});

describe("acrossJournal()", () => {
  it("reads each row once, forwards and backwards, wherever the archive ends", async () => {
    const all = Array.from({ length: 30 }, (_, at) => aRow(at));
    const at = fc.integer({ min: -1, max: 30 });
    const end = fc.option(fc.record({ at, isTime: fc.boolean() }), { nil: null });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ cut: fc.nat(29), beyond: fc.nat(8), parts: fc.nat(5), from: end, to: end }),
        async ({ cut, beyond, parts, from, to }) => {
          const archive = await archived(all.slice(0, Math.min(30, cut + beyond)), parts);
          const hot = hotOf(all.slice(cut));
          const range = { from: endText(from, "-"), to: endText(to, "+") };
          const wanted = await idsOf(hotOf(all).read(range));
          const across = acrossJournal(archive, hot);
          assert.deepEqual(await idsOf(across.read(range)), wanted);
          assert.deepEqual(await idsOf(across.readBack(range)), wanted.toReversed());
        },
      ),
    );
  });

  it("misses nothing where rows go to the archive while it reads", async () => {
    const all = Array.from({ length: 30 }, (_, at) => aRow(at));
    const archive = await archived(all.slice(0, 5), 1);
    let hot = hotOf(all.slice(5));
    const moving = {
      firstId: () => hot.firstId(),
      async *pages(range: ReadRange) {
        // As late as it can be: after the archive was read, before the stream is.
        const moved = all.slice(5, 20);
        await archive.write(segmentOf(moved), moved.map(lineOf));
        hot = hotOf(all.slice(20));
        for await (const row of hot.read(range)) yield [row];
      },
    };
    const ids = [];
    for await (const rows of acrossPages(archive, moving, { from: "-", to: "+" })) {
      ids.push(...rows.map(({ id }) => id));
    }
    assert.deepEqual(ids, all.map(({ id }) => id));
  });

  it("does not look into the archive for what is in the stream", async () => {
    const archive = memoryArchive();
    archive.list = () => Promise.reject(new ArchiveError("not to be asked"));
    const rows = [aRow(1), aRow(2)];
    const across = acrossJournal(archive, hotOf(rows));
    const range = { from: rows[0]!.id, to: "+" };
    assert.equal((await idsOf(across.read(range))).length, 2);
    assert.equal((await idsOf(across.readBack(range))).length, 2);
  });
});

function aRow(at: number): JournalRow {
  return {
    ...{ id: `${T0 + 10 * Math.floor(at / 2)}-${at % 2}`, version: 1, type: "fire.skipped" },
    ...{ task: "a", dueMs: T0 + at, decidedMs: T0 + at, fence: 1 },
    detail: { by: "me", reason: "because" },
  };
}

function segmentOf(rows: readonly JournalRow[]): Segment {
  return { firstId: rows[0]!.id, lastId: rows.at(-1)!.id, rows: rows.length };
}

async function archived(rows: readonly JournalRow[], parts: number) {
  const archive = memoryArchive();
  const size = Math.ceil(rows.length / (parts + 1));
  for (let from = 0; from < rows.length; from += size) {
    const some = rows.slice(from, from + size);
    await archive.write(segmentOf(some), some.map(lineOf));
  }
  return archive;
}

function hotOf(rows: readonly JournalRow[]) {
  const journal = memoryJournal({ serverMs: () => T0 });
  for (const { id, dueMs } of rows) {
    const values = { v: "1", t: "fire.skipped", k: "a", d: String(dueMs), m: "0", f: "1" };
    const p = JSON.stringify({ by: "me", reason: "because" });
    journal.store.entries.push({ id, fields: Object.entries({ ...values, p }).flat() });
  }
  return { ...journal, firstId: () => Promise.resolve(rows[0]?.id ?? null) };
}

function endText(end: { at: number; isTime: boolean } | null, open: string): string {
  if (end === null) return open;
  const { id } = aRow(Math.max(0, end.at));
  return end.isTime ? id.split("-")[0]! : id;
}

async function rowsIn(archive: Archive, segment: Segment): Promise<unknown[]> {
  const rows = [];
  for await (const lines of archive.read(segment)) rows.push(...lines.map(readLine));
  return rows;
}

async function idsOf(rows: AsyncIterable<JournalRow>): Promise<string[]> {
  const ids = [];
  for await (const { id } of rows) ids.push(id);
  return ids;
}
