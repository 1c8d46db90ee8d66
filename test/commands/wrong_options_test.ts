/** Wrong values of options: each is refused before anything connects, with what was wanted and what came. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { auditSql } from "../../src/commands/audit_sql.ts";
import { backfill } from "../../src/commands/backfill.ts";
import { calendar } from "../../src/commands/calendar.ts";
import { journalExport } from "../../src/commands/journal_export.ts";
import { next } from "../../src/commands/next.ts";
import { pauseOrResume } from "../../src/commands/pause.ts";
import { replay } from "../../src/commands/replay.ts";
import { trigger } from "../../src/commands/trigger.ts";
import { UsageError } from "../../src/errors.ts";
import type { KeptShell } from "../support/shell.ts";
import { keptShell } from "../support/shell.ts";

const task = "report";

const CASES: readonly [name: string, run: (shell: KeptShell) => Promise<number>, RegExp][] = [
  ["a task's name", (shell) => trigger({ task: "a b" }, shell), /TASK to be the name .* got "a b"/],
  ["--args", (shell) => trigger({ task, args: "[1" }, shell), /`--args` to be JSON, got \[1/],
  ["--kwargs", (shell) => trigger({ task, kwargs: "x" }, shell), /`--kwargs` to be JSON, got x/],
  [
    "--kwargs that are a list",
    (shell) => trigger({ task, kwargs: "[1]" }, shell),
    /`--kwargs` to be a mapping, got a list$/,
  ],
  ["--id", (shell) => trigger({ task, id: "a b" }, shell), /`--id` to be 1 to 64 .* got "a b"/],
  ["--note", (shell) => trigger({ task, note: "a\nb" }, shell), /`--note` to be one line/],
  ["--max", (shell) => backfill({ task, max: "none" }, shell), /`--max` .* got "none"/],
  ["--rate", (shell) => backfill({ task, rate: "0" }, shell), /`--rate` .* above 0 .* got "0"/],
  ["--rate", (shell) => backfill({ task, rate: "1e9" }, shell), /`--rate` .* at most .* got "1e9"/],
  [
    "--all",
    (shell) => pauseOrResume({ kind: "pause", task, all: true }, shell),
    /either TASK or `--all`/,
  ],
  [
    "no --note",
    (shell) => pauseOrResume({ kind: "pause", task }, shell),
    /`--note` to say why: it is shown wherever the pause is$/,
  ],
  [
    "no --note",
    (shell) => pauseOrResume({ kind: "resume", task }, shell),
    /`--note` to say why: it is recorded with who asked$/,
  ],
  [
    "--format",
    (shell) => journalExport({ format: "xml" }, shell),
    /`--format` to be ndjson, csv, parquet, got "xml"/,
  ],
  [
    "no --output",
    (shell) => journalExport({ format: "parquet" }, shell),
    /`--output` to name the Parquet file, got none/,
  ],
  [
    "--tz beside --stdin",
    (shell) => next({ stdin: true, tz: "Europe/Paris" }, shell),
    /`--stdin` without `--tz`, got both; write it into each question$/,
  ],
  [
    "a calendar beside --stdin",
    (shell) => calendar({ stdin: true, name: "XNYS" }, shell),
    /`--stdin` without NAME, got both; write it into each question$/,
  ],
  [
    "--state-at of a period",
    (shell) => replay({ stateAt: "1h", from: "2h" }, shell),
    /`--state-at` without `--from`, got both; leave one out$/,
  ],
  [
    "no question",
    (shell) => auditSql({ select: " ;" }, shell),
    /a question in SQL, such as "select .*", got none$/,
  ],
  [
    "--since after --until",
    (shell) => journalExport({ format: "csv", since: "2026-03-02", until: "2026-03-01" }, shell),
    /`--since` to be before `--until`, got 2026-03-02 and 2026-03-01/,
  ],
];

describe("a wrong option", () => {
  for (const [name, run, wanted] of CASES) {
    it(`is refused: ${name} (${wanted.source})`, async () => {
      await assert.rejects(run(keptShell()), (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, wanted);
        return true;
      });
    });
  }
});
