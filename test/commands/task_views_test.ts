import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { taskObject, viewsOf, worriesOf } from "../../src/commands/task_views.ts";
import type { Cursor } from "../../src/cursor.ts";
import type { Task } from "../../src/task.ts";
import { revisionOf } from "../../src/task.ts";
import { aTask } from "../support/build.ts";

const NOW_MS = Date.parse("2026-03-10T12:00:30Z");

const report = aTask({ name: "report", trigger: { kind: "every", everyMs: 15_000, phaseMs: 0 } });
const last = new Map([[
  "report",
  { dueMs: NOW_MS - 30_000, state: "acked", latenessMs: 4 },
]]);

function loadedAt(dueMs: number, revision = revisionOf(report)) {
  const cursors = new Map<string, Cursor>([["report", { dueMs, revision }]]);
  return { cursors, serverMs: NOW_MS };
}

const viewOf = (loaded: ReturnType<typeof loadedAt>) =>
  viewsOf({ tasks: [report], off: [] }, loaded, last)[0]!;

describe("viewsOf()", () => {
  it("gives the next due time after the server's now, and what is undecided after a grace", () => {
    const { state, nextMs, waiting } = viewOf(loadedAt(NOW_MS));
    assert.deepEqual([state, nextMs, waiting], ["on", NOW_MS + 15_000, 0]);
    assert.equal(viewOf(loadedAt(NOW_MS - 15_000)).waiting, 0);
    assert.equal(viewOf(loadedAt(NOW_MS - 60_000)).waiting, 3);
  });

  it("does not worry about what waits behind a held fire, as under `catchup: all` it must", () => {
    const all = { ...report, catchUp: { ...report.catchUp, policy: "all" as const } };
    const waiting = (pending: Cursor["pending"], task: Task = all) => {
      const cursor = { dueMs: NOW_MS - 60_000, revision: revisionOf(task), pending: pending! };
      const loaded = { cursors: new Map([["report", cursor]]), serverMs: NOW_MS };
      return viewsOf({ tasks: [task], off: [] }, loaded, last)[0]!.waiting;
    };
    assert.equal(waiting({ notBeforeMs: NOW_MS + 3_600_000, by: "window" }), 0);
    assert.equal(waiting({ notBeforeMs: NOW_MS - 60_000, by: "overlap:report@1" }), 0);
    assert.equal(waiting({ notBeforeMs: NOW_MS - 11_000, by: "window" }), 3);
    assert.equal(waiting({ notBeforeMs: NOW_MS + 3_600_000, by: "window" }, report), 3);
  });

  it("tells a task that no leader has, or has otherwise", () => {
    assert.equal(viewOf({ cursors: new Map(), serverMs: NOW_MS }).state, "new");
    const other = loadedAt(NOW_MS - 60_000, "other.revision");
    assert.deepEqual([viewOf(other).state, viewOf(other).waiting], ["new", 0]);
  });

  it("lists what is off with its switch, and what only the journal knows", () => {
    const loaded = loadedAt(NOW_MS);
    loaded.cursors.set("@term", { dueMs: 1, revision: "x" });
    loaded.cursors.set("old", { dueMs: 1, revision: "x" });
    const off = [{ name: "backup", by: "POSTGRES_BACKUP_ENABLED" }];
    const views = viewsOf({ tasks: [report], off }, loaded, last);
    assert.deepEqual(views.map(({ name, state, offBy }) => [name, state, offBy]), [
      ["report", "on", null],
      ["backup", "off", "POSTGRES_BACKUP_ENABLED"],
      ["old", "unknown", null],
    ]);
  });
});

describe("taskObject()", () => {
  it("has stable names and RFC 3339 times", () => {
    assert.deepEqual(taskObject(viewOf(loadedAt(NOW_MS))), {
      name: "report",
      state: "on",
      paused: null,
      off_by: null,
      celery_task: "check.echo",
      queue: "maintenance",
      trigger: "every 15s",
      policies: [],
      last: { due: "2026-03-10T12:00:00Z", state: "acked", lateness_ms: 4 },
      next: "2026-03-10T12:00:45Z",
      waiting: 0,
    });
  });
});

describe("taskObject() of a task that nothing was due of yet", () => {
  it("has no last fire: when it was taken up was no due time", () => {
    const none = new Map([["report", { dueMs: NOW_MS - 123, state: "none", latenessMs: null }]]);
    const [view] = viewsOf({ tasks: [report], off: [] }, loadedAt(NOW_MS - 123), none);
    assert.equal(taskObject(view!).last, null);
  });
});

describe("worriesOf()", () => {
  it("asks whether Beat runs when due times are waiting", () => {
    assert.match(
      worriesOf([viewOf(loadedAt(NOW_MS - 60_000))]) ?? "",
      /^3 due times of report passed .*is Beat running\?/,
    );
  });

  it("tells what no leader has taken up, and is content otherwise", () => {
    const fresh = viewOf({ cursors: new Map(), serverMs: NOW_MS });
    assert.match(worriesOf([fresh]) ?? "", /^no leader has taken up report/);
    assert.equal(worriesOf([viewOf(loadedAt(NOW_MS))]), null);
  });
});
