/** Which fire somebody asks about, where there is none to name yet. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { targetOf } from "../../src/commands/why_target.ts";
import { memoryJournal } from "../../src/memory/journal.ts";
import { memoryStore } from "../../src/memory/store.ts";
import type { Config } from "../../src/settings.ts";
import type { TriggerSpec } from "../../src/task.ts";
import { aTask, T0 } from "../support/build.ts";

describe("targetOf()", () => {
  const asked = (trigger: TriggerSpec) => {
    const config = { tasks: [aTask({ name: "once", trigger })], off: [] } as unknown as Config;
    const journal = memoryJournal(memoryStore(() => T0));
    return targetOf({ subject: "once", time: undefined }, { journal, config, nowMs: T0 });
  };

  it("names the first time of a task that has not been due yet", async () => {
    await assert.rejects(
      asked({ kind: "at", atMs: T0 + 60_000 }),
      /has not been due yet; its first time is 2026-01-01T00:01:00Z$/,
    );
    assert.equal((await asked({ kind: "at", atMs: T0 - 60_000 })).dueMs, T0 - 60_000);
  });
});
