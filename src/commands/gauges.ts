/** What levels follow, from where it is: Redis, or over HTTP. */

import { SourceError } from "../errors.ts";
import type { Gauges } from "../level.ts";
import type { RedisGauges } from "../redis/gauges.ts";
import { readHttp, shareOf } from "../sources/http.ts";

/** Reads each source where it stands. */
export function gaugesOver(redis: Pick<RedisGauges, "consumers" | "text">): Gauges {
  return {
    consumers: (queues) => redis.consumers(queues),
    async share(source, signal) {
      if (source.kind !== "redis") return await readHttp(source, signal);
      const text = await redis.text(source.key);
      if (text === null) throw new SourceError(`expected the key ${source.key} to be there`);
      return { share: shareOf(text, source.key), atMs: null };
    },
  };
}
