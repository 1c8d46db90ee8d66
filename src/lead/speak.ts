/** What the log says of a tick. */

import type { Ticked } from "../core/tick.ts";
import type { Office } from "./office.ts";

/** One line for each of the first few; the rest are counted. */
export function speakOf(
  { parts: { log }, now }: Pick<Office, "parts" | "now">,
  tally: Ticked,
): void {
  for (const { open: { task, dueMs, list }, latenessMs } of tally.spoken) {
    log.info("published", { task, queue: list, dueMs, latenessMs });
  }
  const rest = tally.published - tally.spoken.length;
  if (rest > 0) log.info("published more", { count: rest });
  if (tally.staleByMs > 0) {
    log.warn(
      "what was decided long ago is decided anew: this machine or Redis' clock stood still",
      {
        agoMs: tally.staleByMs,
      },
    );
  }
  for (const task of tally.wrongType) {
    const queue = now?.roster.get(task)?.list ?? "";
    log.error("not published: the key of its queue is not a list; move that key", { task, queue });
  }
  for (const [task, err] of tally.broken) {
    log.error("a defect: not decided, tried again in a while; all other tasks go on", {
      task,
      err,
    });
  }
  for (const task of tally.reread) log.warn("the journal had moved on; read it again", { task });
}
