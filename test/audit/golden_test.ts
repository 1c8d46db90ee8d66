/** The journals of released versions, and of this one: folding their rows gives the states recorded then. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import project from "../../deno.json" with { type: "json" };
import { foldOf } from "../../src/audit/fold.ts";
import { standingOf } from "../../src/audit/standing.ts";
import { lifeOf } from "../../src/core/life.ts";
import { decodeCursor } from "../../src/cursor.ts";
import { decodeOpen, encodeOpen } from "../../src/open_fire.ts";
import type { JournalRow } from "../../src/event.ts";
import { DETAIL, rowOf } from "../../src/event.ts";
import { decodeRow } from "../../src/row_text.ts";
import type { Golden, GoldenState } from "../golden/record.ts";
import { recordGolden } from "../golden/record.ts";

const FOLDER = new URL("../golden/", import.meta.url);
const VERSIONS = [...Deno.readDirSync(FOLDER)].filter(({ isDirectory }) => isDirectory)
  .map(({ name }) => name);

describe("a golden journal", () => {
  it("of this version is kept", () => {
    assert.ok(VERSIONS.includes(project.version), "run test/golden/record.ts for a release");
  });

  it("of this version is what this build writes, and has every kind of row", () => {
    const golden = readGolden(project.version);
    assert.deepEqual(golden, JSON.parse(JSON.stringify(recordGolden())));
    const rows = golden.journal.map(rowAt);
    assert.deepEqual(new Set(rows.map(({ type }) => type)), new Set(Object.keys(DETAIL)));
    for (const row of rows) {
      const type = row.type as keyof typeof DETAIL;
      assert.notEqual(rowOf(row, type), null, `${row.id} ${type} has a detail of another shape`);
    }
  });

  for (const version of VERSIONS) {
    it(`of ${version} folds to the states recorded then`, () => {
      const { journal, states } = readGolden(version);
      assertStates(journal.map(rowAt), states);
    });

    it(`of ${version} folds to the same among rows and fields of a newer version`, () => {
      const { journal, states } = readGolden(version);
      assertStates(journal.map(rowAt).flatMap((row) => [...strangersBefore(row), row]), states);
      assertStates(
        journal.map(({ id, fields }) => {
          const extended = fields.map((value, index) => {
            const name = index % 2 === 1 ? fields[index - 1] : "";
            if (name === "v") return "9";
            return name === "p" ? JSON.stringify({ ...JSON.parse(value || "{}"), zz: [1] }) : value;
          });
          return rowAt({ id, fields: [...extended, "zz", "unheard of"] });
        }),
        states,
      );
    });
  }
});

/** Each state after its row; and at the end just the fires and the cursors that were there. */
function assertStates(rows: readonly JournalRow[], states: readonly GoldenState[]): void {
  const fold = foldOf();
  const standing = standingOf();
  const after = new Map<string, string>();
  for (const row of rows) {
    standing.take(row);
    const folded = fold.take(row);
    assert.notEqual(folded.kind, "refused", `${row.id} ${row.type} of ${row.task}@${row.dueMs}`);
    if (folded.kind !== "stepped") continue;
    const { openId, state } = folded.fire;
    after.set(row.id, `${openId} ${state}`);
  }
  const wanted = states.flatMap((each): [string, string][] =>
    "id" in each ? [[each.id, `${each.openId} ${each.state}`]] : []
  );
  assert.deepEqual([...after], wanted);
  const open = states.filter((each) => "openId" in each && !("id" in each)) as OpenState[];
  assert.deepEqual(
    [...fold.fires.values()].map(({ openId, state }) => [openId, state]).sort(),
    open.map(({ openId, state }) => [openId, state]).sort(),
  );
  for (const { openId, text, state } of open) {
    if (text === null) continue;
    const fire = decodeOpen(openId, text);
    assert.equal(lifeOf(fire), state);
    assert.equal(encodeOpen(fire), text);
  }
  const cursors = states.filter((each) => "task" in each) as { task: string; text: string }[];
  assert.deepEqual(
    [...standing.cursors].sort(),
    cursors.map(({ task, text }) => [task, decodeCursor(text)] as const).sort(),
  );
}

type OpenState = { readonly openId: string; readonly text: string | null; readonly state: string };

/** Rows that this build has never heard of. */
function strangersBefore(row: JournalRow): JournalRow[] {
  return ["fire.shadowed", "level.raised", "task.moved", "toString", "fire.constructor"]
    .map((type) => ({ ...row, type, version: 9 }));
}

function rowAt({ id, fields }: Golden["journal"][number]): JournalRow {
  const row = decodeRow(id, fields);
  if (typeof row === "string") throw new Error(`${id} is no row: ${row}`);
  return row;
}

function readGolden(version: string): Golden {
  const lines = (name: string) =>
    Deno.readTextFileSync(new URL(`${version}/${name}`, FOLDER)).trimEnd().split("\n")
      .map((line) => JSON.parse(line));
  return { journal: lines("journal.jsonl"), states: lines("states.jsonl") };
}
