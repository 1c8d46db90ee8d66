/** Two real Celery workers on one record; one that ends by itself, as on a refused write, is replaced. */

import type { CeleryWorker, Run } from "../support/celery_worker.ts";
import { startCelery } from "../support/celery_worker.ts";
import { QUEUES } from "./load.ts";

export interface Crew {
  /** What they ran, in the order in which it was recorded. */
  runs(): Promise<Run[]>;
  /** How many ended by themselves. */
  readonly replaced: number;
  /** SIGTERM: what is running ends first. Keeps the record. */
  stop(): Promise<void>;
}

const COUNT = 2;
/** Fewer, and the workers of Celery 5.2 pause for seconds between two tasks. */
const CONCURRENCY = 6;

/** @param url of the broker, as a link leads to it */
export async function startCrew(url: string, dir: string): Promise<Crew> {
  const recordFile = `${dir}/runs.jsonl`;
  let isStopping = false;
  let replaced = 0;
  const present = new Map<number, CeleryWorker>();
  const hire = async (index: number): Promise<void> => {
    const worker = await startCelery({
      ...{ brokerUrl: url, recordFile, queues: QUEUES, concurrency: CONCURRENCY },
      ...{ name: `worker${index}`, visibilityTimeoutS: 20, tracksStarted: false },
    });
    if (isStopping) return await worker.kill();
    present.set(index, worker);
    void replace(index, worker);
  };
  const replace = async (index: number, worker: CeleryWorker) => {
    await worker.ended;
    await Deno.writeTextFile(`${dir}/worker${index}.log`, worker.log(), { append: true });
    present.delete(index);
    while (!isStopping) {
      replaced++;
      // A server that is away at the start ends it again.
      if (await hire(index).then(() => true, () => false)) return;
    }
  };
  await Promise.all(Array.from({ length: COUNT }, (_, index) => hire(index)));
  return {
    async runs() {
      const lines = (await Deno.readTextFile(recordFile)).split("\n");
      return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Run);
    },
    get replaced() {
      return replaced;
    },
    async stop() {
      isStopping = true;
      await Promise.all([...present.values()].map((worker) => worker.stop()));
    },
  };
}
