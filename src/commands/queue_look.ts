/** What there is to see of queues from outside: their length, their old end, who consumes them. */

import type { QueueLook } from "../audit/cause.ts";
import type { WorkerQueues } from "../celery/pidbox.ts";
import { JournalUnavailableError } from "../errors.ts";
import { ask } from "../redis/client.ts";
import { orNull } from "../redis/errors.ts";
import { askWorkers } from "../redis/pidbox.ts";
import { sensorsOver } from "../redis/sensors.ts";
import type { OpenedJournal } from "./open_journal.ts";

/** Messages looked at for the oldest of Beat's: others' messages say nothing of their age. */
const OLDEST_MAX = 50;

type Opened = Pick<OpenedJournal, "client" | "config">;

/** A list, and the queue that it belongs to: steps of priority have lists of their own. */
export interface ListOfQueue {
  readonly list: string;
  readonly queue: string;
}

/**
 * @param waitMs how long to wait for workers, where some of the queues have none yet
 * @throws {JournalUnavailableError}
 */
export async function lookAtQueues(
  { client, config }: Opened,
  lists: readonly ListOfQueue[],
  waitMs: number,
): Promise<QueueLook[]> {
  const { transport } = config.settings;
  const sensors = sensorsOver({ queues: client, results: null }, transport);
  const keys = lists.map(({ list }) => transport.globalKeyPrefix + list);
  const [samples, types, answers] = await Promise.all([
    sensors.sampleQueues(lists.map(({ list }) => list), OLDEST_MAX),
    Promise.all(keys.map((key) => orNull(() => ask(client, () => client.type(key))))),
    workersOf({ client, config }, new Set(lists.map(({ queue }) => queue)), waitMs),
  ]);
  return lists.map(({ list, queue }, index) => {
    const { depth, oldest } = samples[index]!;
    const times = oldest.flatMap(({ publishedMs }) => publishedMs ?? []);
    return {
      list,
      wrongType: FIT.has(types[index] ?? "none") ? null : types[index]!,
      depth,
      oldestMs: times.length === 0 ? null : Math.min(...times),
      workers: answers === null ? null : consumersOf(answers, queue),
    };
  });
}

/** What a queue may be, as Redis names it; an empty one is not there. */
const FIT: ReadonlySet<string> = new Set(["list", "none"]);

/** The queues of every worker that answers in time; `null` where nobody may ask. */
async function workersOf(
  opened: Opened,
  queues: ReadonlySet<string>,
  waitMs: number,
): Promise<WorkerQueues[] | null> {
  if (queues.size === 0) return [];
  const isEnough = (answers: readonly WorkerQueues[]) =>
    [...queues].every((queue) => consumersOf(answers, queue).length > 0);
  try {
    return await askWorkers(opened.client, { ...whereToAsk(opened), waitMs, isEnough });
  } catch (error) {
    // A replica takes no question. All else can be read there, and its role is told.
    if (error instanceof JournalUnavailableError && error.retry === "reconnect") return null;
    throw error;
  }
}

/**
 * Every worker that answers within `waitMs`, which it takes whole, because nobody knows how many there
 * are; with the size of its pool. `null` where the user may not ask.
 * @throws {JournalUnavailableError}
 */
export function allWorkers(opened: Opened, waitMs: number): Promise<WorkerQueues[] | null> {
  const where = whereToAsk(opened);
  return askWorkers(opened.client, { ...where, waitMs, asksHands: true, isEnough: () => false });
}

function whereToAsk({ client, config: { settings } }: Opened) {
  const database = settings.broker?.database ?? client.options.db ?? 0;
  return { database, transport: settings.transport };
}

function consumersOf(answers: readonly WorkerQueues[], queue: string): string[] {
  return answers.filter(({ queues }) => queues.includes(queue)).map(({ worker }) => worker);
}
