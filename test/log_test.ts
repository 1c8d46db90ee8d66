import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { BeatError } from "../src/errors.ts";
import type { LogOptions } from "../src/log.ts";
import { createLog } from "../src/log.ts";

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const clock = { wallMs: () => NOON_MS + 5 };

async function aLog(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = await createLog({
    level: "info",
    format: "auto",
    isTerminal: false,
    hasColor: false,
    write: (text) => lines.push(text),
    ...options,
  }, clock);
  return { log, lines };
}

describe("createLog()", () => {
  it("writes one JSON object a line, with a word for the level and RFC 3339 for the time", async () => {
    const { log, lines } = await aLog();
    log.info("fire published", { task: "report", latenessMs: 4 });
    assert.equal(lines.length, 1);
    assert.ok(lines[0]!.endsWith("\n"));
    assert.deepEqual(JSON.parse(lines[0]!), {
      level: "info",
      ts: "2026-01-01T12:00:00.005Z",
      task: "report",
      lateness_ms: 4,
      msg: "fire published",
    });
  });

  it("writes names in snake case and instants as RFC 3339, also those of a child", async () => {
    const { log, lines } = await aLog();
    log.child({ fireId: `report@${NOON_MS}` }).warn("fire is late", { dueMs: NOON_MS });
    const { fire_id, due, level } = JSON.parse(lines[0]!);
    assert.deepEqual([fire_id, due, level], [
      `report@${NOON_MS}`,
      "2026-01-01T12:00:00.000Z",
      "warn",
    ]);
  });

  it("says nothing below its level", async () => {
    const { log, lines } = await aLog({ level: "warn" });
    log.info("no");
    log.debug("no");
    log.error("yes");
    assert.deepEqual(lines.map((line) => JSON.parse(line).msg), ["yes"]);
  });

  it("gives the code of an error that was foreseen, and the stack of another", async () => {
    const { log, lines } = await aLog();
    log.error("failed", { err: new BeatError("SOME", 1, "expected") });
    log.error("failed", { err: new TypeError("surprise") });
    const [foreseen, surprise] = lines.map((line) => JSON.parse(line).error);
    assert.deepEqual(foreseen, { code: "SOME", message: "expected" });
    assert.equal(surprise.message, "surprise");
    assert.match(surprise.stack, /log_test/);
  });

  it("is readable on a terminal, written at once, without colours unless asked", async () => {
    const { log, lines } = await aLog({ isTerminal: true });
    log.info("fire published", { task: "report" });
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] INFO/);
    assert.match(lines[0]!, /INFO.*fire published.*"task":"report"/);
    assert.ok(!lines[0]!.includes("\u001b"));
    const coloured = await aLog({ isTerminal: true, hasColor: true });
    coloured.log.info("fire published");
    assert.ok(coloured.lines[0]!.includes("\u001b"));
  });

  it("follows BEAT_LOG_FORMAT rather than the terminal", async () => {
    const text = await aLog({ format: "text" });
    text.log.info("hello");
    assert.throws(() => JSON.parse(text.lines[0]!));
    const json = await aLog({ format: "json", isTerminal: true });
    json.log.info("hello");
    assert.equal(JSON.parse(json.lines[0]!).msg, "hello");
  });
});
