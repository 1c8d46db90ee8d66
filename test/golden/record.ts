/**
 * Records the golden journal of this version: every kind of row, as this build writes it, and the
 * states that they come to. Run it once for a release, and not again for that version:
 * `deno run -P=test test/golden/record.ts`.
 */

import project from "../../deno.json" with { type: "json" };
import { definitionOf } from "../../src/core/reconcile.ts";
import type { OpenFire } from "../../src/open_fire.ts";
import { encodeCursor } from "../../src/cursor.ts";
import { encodeOpen, openKey } from "../../src/open_fire.ts";
import type { Detail, EventType, FireEventType, Row } from "../../src/event.ts";
import { appendRow, memoryStore } from "../../src/memory/store.ts";
import { revisionOf } from "../../src/task.ts";
import { anOpenFire, aTask, T0 } from "../support/build.ts";

/** Lines of `journal.jsonl` and of `states.jsonl`. */
export interface Golden {
  /** Stream entries: id, and names and values in turn. */
  readonly journal: readonly { id: string; fields: readonly string[] }[];
  readonly states: readonly GoldenState[];
}

/** What a row, or all of them, came to. */
export type GoldenState =
  /** After the row `id`, the fire is in `state`. */
  | { readonly id: string; readonly openId: string; readonly state: string }
  /** At the end a fire is open; `text` is its value in the hash of open fires, where it has one. */
  | { readonly openId: string; readonly text: string | null; readonly state: string }
  /** At the end a task's cursor, as in the hash of cursors. */
  | { readonly task: string; readonly text: string };

export function recordGolden(): Golden {
  let nowMs = T0;
  const store = memoryStore(() => nowMs, 1);
  const states: GoldenState[] = [];
  const write = <T extends EventType>(
    type: T,
    detail: Detail<T>,
    { task = "", dueMs = null, laterMs = 0 }: {
      task?: string;
      dueMs?: number | null;
      laterMs?: number;
    } = {},
  ): string => {
    nowMs += 250;
    // Now and then, two rows of one script call share a millisecond.
    if (type === "fire.finished") nowMs -= 250;
    const row = { type, task, dueMs, decidedMs: nowMs - laterMs, detail } as Row;
    appendRow(store, nowMs, row, store.fence!);
    return store.entries.at(-1)!.id;
  };
  /** Rows of one fire, each with the state that it leads to; then what is open at the end. */
  const live = (task: string, dueMs: number, rows: readonly Life[], open?: Partial<OpenFire>) => {
    let openId = `${task}@${dueMs}`;
    for (const [type, detail, state] of rows) {
      const id = write(type, detail as Detail<typeof type>, { task, dueMs });
      if (detail.attempt !== undefined) openId = `${task}@${dueMs}#${detail.attempt}`;
      if (state !== null) states.push({ id, openId, state });
    }
    const state = rows.at(-1)![2]!;
    if (open === undefined) return;
    const text = state === "due" ? null : encodeOpen(anOpenFire({ task, dueMs, ...open }));
    states.push({ openId, text, state });
  };

  write("term.started", { owner: "one:1:aa", epoch: "e.0", build: "0.1.0" });
  const tasks = declared();
  for (const task of tasks.slice(0, 3)) {
    const detail = { revision: revisionOf(task), definition: definitionOf(task) };
    write("task.known", detail, { task: task.name, dueMs: T0 });
  }
  liveAll(live);
  const dropped = { fromMs: T0 + 4_000, toMs: T0 + 9_000, count: 6, by: "catchup" };
  write("task.dropped", { ...dropped, reason: "superseded" }, {
    task: "check.echo",
    dueMs: T0 + 9_000,
  });
  write("control.reloaded", { added: [], changed: ["check.echo"], retired: ["gone"] });
  write("control.reload_refused", { problems: ["env/beat.yaml:3: expected `every` …"] });
  writeAsked(write);
  const level = { key: "queue:maintenance", from: "normal", to: "slowed" } as const;
  write("level.changed", { ...level, reason: "2,100 wait", facts: { depth: 2_100 } });
  write("task.retired", {}, { task: "gone" });
  write("journal.snapshot", {
    ...{ cutId: `${T0}-3`, rows: 3, checksum: "0123456789abcdef" },
    state: { format: 1, plans: [], fires: [] },
  });
  const changed = tasks[3]!;
  const detail = { revision: revisionOf(changed), definition: definitionOf(changed) };
  write("task.changed", detail, { task: "check.echo", dueMs: T0 + 9_000 });
  write("term.ended", { owner: "one:1:aa", reason: "stopped" });
  store.fence = 2;
  write("term.started", { owner: "two:2:bb", epoch: "e.0", build: "0.1.0", tzdata: "2026b" });
  write("term.history_shortened", { owner: "two:2:bb", fromId: `${T0}-0`, toId: `${T0 + 1}-3` });
  write("term.history_lost", { owner: "two:2:bb", reason: "Beat's keys were gone" });
  // Decided by a clock that was ahead of the server's.
  const cursor = { dueMs: T0 + 60_000, revision: revisionOf(tasks[2]!) };
  const own = { task: "desk:nightly_report-2", dueMs: T0 + 60_000 };
  const late = write("fire.published", {}, { ...own, laterMs: -90_000 });
  states.push({ id: late, openId: `${own.task}@${own.dueMs}`, state: "published.queued" });
  const text = encodeOpen(anOpenFire({ ...own, list: "high\x06\x163", expiresMs: T0 + 90_000 }));
  states.push({ openId: openKey(anOpenFire(own)), text, state: "published.queued" });
  states.push({
    task: "check.echo",
    text: encodeCursor({ dueMs: T0 + 9_000, revision: detail.revision }),
  });
  states.push({ task: own.task, text: encodeCursor(cursor) });
  return { journal: store.entries, states };
}

type Write = <T extends EventType>(
  type: T,
  detail: Detail<T>,
  at?: { readonly task?: string },
) => string;

/** What people asked for. */
function writeAsked(write: Write): void {
  const task = { task: "check.echo" };
  const head = { request: "r1", who: "ada@desk", note: "Umzug – kurz" };
  write("control.requested", { ...head, kind: "backfill", entryId: `${T0}-1`, fires: 2 }, task);
  const done = { request: "r1", result: "done", published: 1, passed: 1 } as const;
  write("control.answered", { ...done, entryId: `${T0}-1` }, task);
  const repeated = { request: "r1", result: "repeated", reason: "it was done before" } as const;
  write("control.answered", { ...repeated, entryId: `${T0}-2`, firstId: `${T0}-1` }, task);
  write("control.paused", head);
  write("control.resumed", { ...head, sinceMs: T0 + 5 });
}

/** A row of a fire, and the state that it leads to; `null` where it is passed over. */
type Life = readonly [
  type: FireEventType,
  detail: Readonly<Record<string, unknown>>,
  state: string | null,
];

function declared() {
  return [
    aTask({ name: "check.echo", expiresMs: 60_000, args: [1, "ä"], kwargs: { key: null } }),
    aTask({ name: "gone", trigger: { kind: "at", atMs: T0 + 1_000 } }),
    aTask({
      name: "desk:nightly_report-2",
      priority: 3,
      trigger: { kind: "cron", expression: "*/5 9-17 * * mon-fri", tz: "America/New_York" },
    }),
    aTask({
      name: "check.echo",
      trigger: {
        kind: "crontab",
        ...{ minute: "*/15", hour: "*", dayOfWeek: "*", dayOfMonth: "*", monthOfYear: "*" },
        tz: "Asia/Kolkata",
      },
    }),
  ];
}

type Live = (task: string, dueMs: number, rows: Life[], open?: Partial<OpenFire>) => void;

/** Each way that a fire may go. */
function liveAll(live: Live): void {
  const at = (index: number) => T0 + index;
  const published: Life = ["fire.published", {}, "published.queued"];
  const taken: Life = ["fire.taken", { by: "event", worker: "w1@host" }, "published.taken"];
  const acked: Life = ["fire.acked", { by: "result", worker: "w1@host" }, "acked.unfinished"];
  const finished = (detail: Detail<"fire.finished">): Life => [
    "fire.finished",
    detail,
    "acked.finished",
  ];
  const due: Life = ["fire.due", {}, "due"];
  const hold = { untilMs: T0 + 5_000, by: "window", reason: "not before 18:00 – Börse offen" };
  const delayed: Life = ["fire.delayed", hold, "due"];
  const skipped: Life = ["fire.skipped", { by: "overlap", reason: "the last one runs" }, "skipped"];

  const done = finished({ outcome: "success" });
  live("check.echo", at(1), [published, taken, acked, done]);
  const runtimeMs = 0.25;
  live("check.echo", at(2), [published, acked, finished({ outcome: "failure", runtimeMs })]);
  live("check.echo", at(3), [published, acked, finished({ outcome: "revoked" })]);
  live("check.echo", at(4), [published, taken, acked, finished({ outcome: "lost" })]);
  const byBroker: Life = ["fire.acked", { by: "broker" }, "acked.unfinished"];
  const lateAck: Life = ["fire.late_ack", { by: "event", outcome: "success" }, null];
  live("check.echo", at(5), [published, byBroker, finished({ outcome: "unknown" }), lateAck]);
  const overdue: Life = ["fire.overdue", { takeByMs: T0 + 60_000 }, "published.overdue"];
  const again: Life = ["fire.redelivered", { deliveries: 2 }, "published.queued"];
  live("check.echo", at(6), [published, overdue, taken, again, overdue, again, taken, acked, done]);
  const expired = (reason: "ttl" | "unacknowledged", by: string): Life => [
    "fire.expired",
    { reason, by },
    "expired",
  ];
  live("check.echo", at(7), [published, expired("ttl", "worker")]);
  live("check.echo", at(8), [published, overdue, expired("ttl", "beat"), lateAck]);
  live("check.echo", at(9), [published, taken, expired("unacknowledged", "beat")]);
  live("check.echo", at(10), [due, delayed, delayed, published, taken, acked, done]);
  live("check.echo", at(11), [due, skipped]);
  live("check.echo", at(12), [due, delayed, skipped]);
  live("check.echo", at(13), [skipped]);
  const anew: Life = ["fire.published", { attempt: 1 }, "published.queued"];
  const third: Life = ["fire.published", { attempt: 2 }, "published.queued"];
  live("check.echo", at(14), [published, expired("ttl", "worker"), anew, taken, third], {
    attempt: 2,
  });
  live("gone", at(15), [published], { redeliveries: 1, fence: 7 });
  live("check.echo", at(16), [published, overdue], { isOverdue: true });
  live("check.echo", at(17), [published, overdue, taken], { state: "taken", isOverdue: true });
  live("check.echo", at(18), [published, byBroker], { state: "acked", expiresMs: T0 + 60_000 });
  live("check.echo", at(19), [due, delayed], {});
  live("check.echo+r1", at(1), [anew, taken, acked, done]);
  live("check.echo+r1", at(11), [published], {});
}

/** @param lines values to write, one a line */
export function linesOf(lines: readonly unknown[]): string {
  return lines.map((line) => JSON.stringify(line) + "\n").join("");
}

if (import.meta.main) {
  const folder = new URL(`./${project.version}/`, import.meta.url);
  const { journal, states } = recordGolden();
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(new URL("journal.jsonl", folder), linesOf(journal));
  await Deno.writeTextFile(new URL("states.jsonl", folder), linesOf(states));
  console.log(`${journal.length} rows in ${folder.pathname}`);
}
