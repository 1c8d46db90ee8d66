/** The journal over Redis: each of its questions as Redis takes it, and the answer as a value. */

import type { Redis } from "ioredis";
import type { Journal } from "../ports.ts";
import type { ScriptCall } from "./calls.ts";
import { commitCall, committedOf, settleCall, settledOf } from "./calls.ts";
import { ask } from "./client.ts";
import type { Keys } from "./keys.ts";
import { loadAll, loadSome } from "./load.ts";
import { journalExtent, readRows, traceRow } from "./read.ts";
import { runScript } from "./script.ts";
import { trimRows } from "./trim.ts";

/** @param client a connection that does not repeat commands by itself, see `connect` */
export function redisJournal(client: Redis, keys: Keys): Journal {
  const run = ({ script, keys, args }: ScriptCall) =>
    ask(client, () => runScript(client, script, keys, args));
  return {
    async commit(steps, fence) {
      return committedOf(await run(commitCall(steps, fence, keys)));
    },
    async settle(settlements, fence) {
      return settledOf(await run(settleCall(settlements, fence, keys)));
    },
    load: (how) => loadAll(client, keys, how),
    reload: (tasks, openIds) => loadSome(client, keys, tasks, openIds),
    trace: (id) => traceRow(client, keys, id),
    extent: () => journalExtent(client, keys),
    trim: (request, fence) => trimRows(client, keys, request, fence),
    read: (range, onForeign, onMoved) =>
      readRows(client, keys, range, { isBackwards: false, onForeign, onMoved }),
    readBack: (range, onForeign) => readRows(client, keys, range, { isBackwards: true, onForeign }),
  };
}
