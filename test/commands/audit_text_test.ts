import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { sightingOf } from "../../src/audit/outside.ts";
import { printAudit } from "../../src/commands/audit_text.ts";
import { audited } from "../support/audited.ts";
import { T0 } from "../support/build.ts";
import { keptShell } from "../support/shell.ts";

const NOTHING = { entries: [], cursors: new Map(), open: new Map(), lists: new Map() };

describe("printAudit()", () => {
  it("sums up the reasons of a policy where each skip has one of its own", async () => {
    const report = await audited(NOTHING, T0, { sinceMs: T0 - 1, untilMs: T0 });
    for (let at = 0; at < 400; at++) {
      report.sum.skipped.set(`session: ${at} days before the calendar begins`, 1);
    }
    report.sum.skipped.set("pause: paused by ann@host: the move: all of it", 20);
    report.sum.skipped.set("pause: paused by bob@host: moved", 3);
    const shell = keptShell();
    const sighting = sightingOf([], [], T0);
    printAudit({ report, sighting, isVerified: false }, shell);
    const [line] = shell.said.out.split("\n").filter((each) => each.startsWith("skipped"));
    assert.equal(
      line,
      "skipped    session (400 reasons: --json names them) 400, " +
        "pause: paused by ann@host: the move: all of it 20, pause: paused by bob@host: moved 3",
    );
  });
});
