/** Faults planted at random into journals that the real core has written: each is found, and nothing else. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { Finding } from "../../src/audit/findings.ts";
import { ratesOf, sumOf } from "../../src/audit/tally.ts";
import type { Report } from "../../src/audit/close.ts";
import { millisecondsOf } from "../../src/event.ts";
import { audited } from "../support/audited.ts";
import type { CleanJournal, Draw } from "../support/clean_journal.ts";
import { cleanJournal, drawsOf } from "../support/clean_journal.ts";
import type { Planted } from "../support/planted.ts";
import { PLANTS, rowsIn } from "../support/planted.ts";

const JOURNALS = 18;
const FAULTS_EACH = 60;
const SEED = Number(Deno.env.get("AUDIT_SEED") ?? 1);

describe("the audit of journals that the core has written", () => {
  it("alarms at nothing but what was late, and plans what the triggers say", async () => {
    for (let each = 0; each < JOURNALS; each++) {
      const clean = await cleanJournal(drawsOf(SEED + each));
      const report = await audited(clean, clean.nowMs);
      const late = lateOf(clean);
      const seen = report.findings.map(({ kind, task, fromMs }) => `${kind} ${task}@${fromMs}`);
      assert.deepEqual(
        seen.sort(),
        late.map((fire) => `late ${fire}`).sort(),
        `seed ${SEED + each}`,
      );
      assertSums(report, clean, late.length);
    }
  });

  it("finds each of at least 1,000 faults", async () => {
    const draw = drawsOf(SEED + 7_777);
    const kinds = new Map<string, number>();
    const unseen: string[] = [];
    for (let journal = 0; journal < JOURNALS; journal++) {
      const seed = SEED + 1_000 + journal;
      const clean = await cleanJournal(drawsOf(seed));
      const before = new Set((await audited(clean, clean.nowMs)).findings.map(textOf));
      for (let each = 0; each < FAULTS_EACH; each++) {
        const [kind, planted] = plantedIn(clean, draw);
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        const { findings } = await audited(planted.held, clean.nowMs);
        const fresh = findings.filter((finding) => !before.has(textOf(finding)));
        const where = `seed ${seed}: ${kind} ${planted.what} of ${JSON.stringify(planted.about)}`;
        if (fresh.some((finding) => isAbout(finding, planted))) continue;
        unseen.push(`${where}\n${shown(fresh)}`);
      }
    }
    assert.deepEqual(unseen, []);
    const total = sumOf(kinds);
    assert.ok(total >= 1_000, `only ${total} faults were planted`);
    for (const kind of Object.keys(PLANTS)) {
      assert.ok((kinds.get(kind) ?? 0) >= 5, `${kind} was planted too rarely`);
    }
  });
});

/** Fires that went out more than a second after they were due, by plain reading. */
function lateOf(clean: CleanJournal): string[] {
  return rowsIn(clean).filter(({ type, id, dueMs }) =>
    type === "fire.published" && millisecondsOf(id) - dueMs! > 1_000
  ).map(({ task, dueMs }) => `${task}@${dueMs}`);
}

function assertSums({ sum }: Report, { regimes, nowMs }: CleanJournal, late: number): void {
  const planned = regimes.reduce(
    (total, { trigger, afterMs, untilMs }) =>
      total + trigger.count(afterMs, Math.min(untilMs, nowMs)),
    0,
  );
  assert.equal(sum.planned, planned);
  assert.equal(sum.planned, sum.published + sumOf(sum.skipped) + sum.missed + sum.waiting);
  assert.equal(sum.onTime, sum.published - late);
  assert.equal(sum.acked, sum.toAck.size);
  assert.equal(ratesOf(sum).duplicate, 0);
}

function plantedIn(clean: CleanJournal, draw: Draw): [kind: string, planted: Planted] {
  const rows = rowsIn(clean);
  const kinds = Object.keys(PLANTS);
  for (;;) {
    const kind = kinds[Math.floor(draw() * kinds.length)]!;
    const planted = PLANTS[kind]!(clean, rows, draw);
    if (planted !== null) return [kind, planted];
  }
}

function isAbout(finding: Finding, { about: { task, dueMs, rowId, isCounted } }: Planted): boolean {
  const { kind, fromMs, toMs, text } = finding;
  if (rowId !== null && finding.rowId === rowId) return true;
  const isCounter = (kind === "refused" && text.includes(" of term ")) || kind === "differs";
  if (isCounted === true && isCounter) return true;
  if (task === "" || finding.task !== task) return false;
  return dueMs === null || (fromMs !== null && toMs !== null && fromMs <= dueMs && dueMs <= toMs);
}

function textOf(finding: Finding): string {
  return JSON.stringify(finding);
}

function shown(findings: readonly Finding[]): string {
  return findings.slice(0, 5).map(textOf).join("\n") || "no finding";
}
