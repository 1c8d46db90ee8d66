/** A long journal, as the leader of a busy shop writes it, put into a Redis as fast as it takes it. */

import type { Redis } from "ioredis";
import { definitionOf } from "../../src/core/reconcile.ts";
import { encodeCursor } from "../../src/cursor.ts";
import type { Row } from "../../src/event.ts";
import { ROW_VERSION } from "../../src/event.ts";
import { encodeRow, ROW_FIELDS } from "../../src/row_text.ts";
import { revisionOf } from "../../src/task.ts";
import { aTask } from "../support/build.ts";

export interface AuditJournal {
  readonly rows: number;
  readonly fires: number;
  /** Due time of the first and of the last fire. Unix milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

const TASKS = 1_000;
const EVERY_MS = 60_000;
const FENCE = "1";
const PORTION = 5_000;

/** One row in so many fires is an overdue one, too. */
const OVERDUE_EVERY = 50;

/**
 * Writes `rowsMin` rows or a few more, the last due time a moment ago: a thousand tasks, each due once a
 * minute, each fire published, acked and finished.
 */
export async function writeJournal(client: Redis, rowsMin: number): Promise<AuditJournal> {
  const tasks = Array.from({ length: TASKS }, (_, index) =>
    aTask({
      name: `shop.task_${String(index).padStart(4, "0")}`,
      queue: `queue_${index % 20}`,
      trigger: { kind: "every", everyMs: EVERY_MS, phaseMs: index * EVERY_MS / TASKS },
    }));
  const turns = Math.ceil(rowsMin / TASKS / (3 + 1 / OVERDUE_EVERY));
  const endMs = Math.floor(Date.now() / EVERY_MS) * EVERY_MS - EVERY_MS;
  const fromMs = endMs - turns * EVERY_MS;
  const write = writer(client);
  const head = { task: "", dueMs: null, decidedMs: fromMs };
  const detail = { owner: "bench", epoch: "bench", build: "bench" };
  await write.row(fromMs, { ...head, type: "term.started", detail });
  for (const task of tasks) {
    const declared = { revision: revisionOf(task), definition: definitionOf(task) };
    const own = { task: task.name, dueMs: fromMs, decidedMs: fromMs };
    await write.row(fromMs, { ...own, type: "task.known", detail: declared });
  }
  let fires = 0;
  for (let turn = 0; turn < turns; turn++) {
    for (const [index, { name }] of tasks.entries()) {
      const dueMs = fromMs + turn * EVERY_MS + index * EVERY_MS / TASKS;
      if (dueMs <= fromMs) continue;
      fires++;
      const atMs = dueMs + 1 + fires % 5;
      const fire = { task: name, dueMs, decidedMs: atMs };
      await write.row(atMs, { ...fire, type: "fire.published", detail: {} });
      const worker = `celery@host${index % 8}`;
      const ended = { ...fire, decidedMs: atMs + 20 };
      if (fires % OVERDUE_EVERY === 0) {
        await write.row(atMs + 20, {
          ...ended,
          type: "fire.taken",
          detail: { by: "event", worker },
        });
      }
      await write.row(atMs + 20, {
        ...ended,
        type: "fire.acked",
        detail: { by: "result", worker },
      });
      const finished = { outcome: "success", runtimeMs: 12.5 } as const;
      await write.row(atMs + 20, { ...ended, type: "fire.finished", detail: finished });
    }
  }
  await write.end();
  const lastOf = (index: number) => fromMs + (turns - 1) * EVERY_MS + index * EVERY_MS / TASKS;
  const cursors = tasks.flatMap((task, index) => [
    task.name,
    encodeCursor({ dueMs: lastOf(index), revision: revisionOf(task) }),
  ]);
  await client.hset("beat:cursors", ...cursors, "@term", `${FENCE} started0`);
  await client.set("beat:fence", FENCE);
  await client.set("beat:epoch", "bench v1");
  return { rows: write.count(), fires, fromMs, toMs: lastOf(TASKS - 1) };
}

/** Ids rise although many rows are of one millisecond, and acks come a little after the next publishes. */
function writer(client: Redis) {
  let pipeline = client.pipeline();
  let lastMs = 0;
  let sequence = 0;
  let count = 0;
  return {
    count: () => count,
    async row(atMs: number, row: Row) {
      sequence = atMs > lastMs ? 0 : sequence + 1;
      lastMs = Math.max(lastMs, atMs);
      const [type, due, decided, payload] = encodeRow(row);
      const values = [String(ROW_VERSION), type, row.task, due, decided, FENCE, payload];
      const fields = ROW_FIELDS.flatMap((name, index) => [name, values[index]!]);
      pipeline.xadd("beat:journal", `${lastMs}-${sequence}`, ...fields);
      if (++count % PORTION === 0) {
        await pipeline.exec();
        pipeline = client.pipeline();
      }
    },
    end: () => pipeline.exec(),
  };
}
