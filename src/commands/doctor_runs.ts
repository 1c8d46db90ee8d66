/**
 * Run times of tasks that are seldom due: their last rows are far back in a busy journal. The date of
 * their last result tells where, and a run that long matters most.
 */

import type { Recent } from "../audit/recent.ts";
import { celeryTaskId } from "../celery/ids.ts";
import { JournalUnavailableError } from "../errors.ts";
import { openIdOf } from "../fire.ts";
import type { Loaded } from "../ports.ts";
import { connect, untilReady } from "../redis/client.ts";
import type { Keys } from "../redis/keys.ts";
import { peekingJournal } from "../redis/peek.ts";
import { sensorsOver } from "../redis/sensors.ts";
import type { Config } from "../settings.ts";
import { triggerOf } from "../triggers/mod.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { readNear } from "./why_read.ts";

/** Tasks that are looked for. */
const TASKS_MAX = 50;

const ANSWER_MAX_MS = 2_000;

/** Adds what it finds to `recent`; a result backend that is away adds nothing. */
export async function longRuns(
  { tasks, settings: { backend, namespace, transport } }: Config,
  { client, keys, loaded, recent }: {
    readonly client: OpenedJournal["client"];
    readonly keys: Keys;
    readonly loaded: Loaded;
    readonly recent: Recent;
  },
): Promise<void> {
  // A journal that was read to its start has told all.
  const first = recent.sinceMs ?? 0;
  const fires = tasks.filter(({ name }) => (recent.tasks.get(name)?.runtimes.length ?? 0) === 0)
    .flatMap(({ name, trigger }) => {
      const dueMs = triggerOf(trigger).last(loaded.serverMs);
      return dueMs === null || dueMs >= first ? [] : [{ task: name, dueMs }];
    }).slice(0, TASKS_MAX);
  if (backend === null || fires.length === 0) return;
  const results = connect(backend, { name: "beat-look", commandTimeoutMs: ANSWER_MAX_MS });
  try {
    await untilReady(results, AbortSignal.timeout(ANSWER_MAX_MS));
    const sensors = sensorsOver({ queues: results, results }, transport);
    const ids = fires.map(({ task, dueMs }) => celeryTaskId(namespace, openIdOf(task, dueMs, 0)));
    const found = await sensors.results(ids);
    const peek = peekingJournal(client, keys);
    for (const [index, { task, dueMs }] of fires.entries()) {
      const atMs = found[index]?.doneMs ?? null;
      if (atMs === null) continue;
      const rows = await readNear(peek, { task, dueMs, atMs });
      for (const row of rows.reverse()) recent.take(row);
    }
  } catch (error) {
    if (!(error instanceof JournalUnavailableError)) throw error;
  } finally {
    results.disconnect();
  }
}
