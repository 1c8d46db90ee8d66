/** What levels follow, as far as it stands in the broker's Redis: who consumes a queue, and a number. */

import type { RedisEndpoint, Transport } from "../settings.ts";
import { ask, connect } from "./client.ts";
import { askWorkers } from "./pidbox.ts";

/** Workers answer within some milliseconds; one that does not is busy, or away. Milliseconds. */
const ANSWER_MS = 1_000;

export interface RedisGauges {
  /** @see `Gauges.consumers` */
  consumers(queues: readonly string[]): Promise<ReadonlyMap<string, number> | null>;
  /** The text of a key; `null` for none. @throws {JournalUnavailableError} */
  text(key: string): Promise<string | null>;
  close(): void;
}

/** On a connection of its own: what waits here delays nothing else. */
export function redisGauges(
  { broker, transport, commandTimeoutMs }: {
    readonly broker: RedisEndpoint;
    readonly transport: Transport;
    readonly commandTimeoutMs: number;
  },
): RedisGauges {
  const client = connect(broker, { name: "beat-gauges", commandTimeoutMs });
  return {
    async consumers(queues) {
      const answers = await askWorkers(client, {
        database: broker.database,
        transport,
        waitMs: ANSWER_MS,
        isEnough: (so) => queues.every((queue) => so.some((each) => each.queues.includes(queue))),
      });
      if (answers === null) return null;
      return new Map(queues.map((queue) => [
        queue,
        answers.filter((each) => each.queues.includes(queue)).length,
      ]));
    },
    text: (key) => ask(client, () => client.get(key)),
    close: () => client.disconnect(),
  };
}
