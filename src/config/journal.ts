/** The `journal` part of `beat.yaml`: how long rows stay in Redis, and where they go. */

import { z } from "zod";
import { duration, line, map } from "./shapes.ts";
import { size } from "./size.ts";

/** Less would not hold the fires of a busy minute. */
const BYTES_MIN = 1_000_000;

export const JOURNAL_YAML = z.strictObject({
  keep: duration({ minMs: 60_000 }).default(7 * 86_400_000),
  max_bytes: size({ min: BYTES_MIN }).default(256_000_000),
  archive: line.optional(),
}, map);

/** From the working directory. */
export const ARCHIVE_DEFAULT = ".beat/archive";
