/** What a leader has to say of messages that nobody takes: that they are overdue, that they expired. */

import { whereIs } from "./closing_rule.ts";
import { fieldsOf } from "./redis_values.ts";
import { NAMESPACE } from "./replica.ts";
import type { World } from "./world.ts";

/** It looks once a second, or every few seconds in long runs. Milliseconds. */
const SAID_WITHIN_MS = 15_000;

export function unsaid({ account, redis, crew }: World): string[] {
  const { store } = redis;
  const untilMs = store.nowMs - SAID_WITHIN_MS;
  return [...fieldsOf(store.keys, `${NAMESPACE}:open`).keys()].flatMap((openId) => {
    const name = openId.split("#")[0]!;
    const fire = account.fires.get(name);
    if (fire === undefined) return [];
    const { stand, isOverdue, takeByMs, push } = fire;
    const { expiresMs } = push.says;
    const isExpired = expiresMs !== null && expiresMs < untilMs;
    const isLate = takeByMs < untilMs && !isOverdue;
    if (stand !== "queued" || !(isExpired || isLate)) return [];
    if (whereIs(push, store, crew) !== "in its list") return [];
    return isExpired
      ? [`${name} expired at ${expiresMs}, and its message is left in its list`]
      : [`${name} was to be taken by ${takeByMs}, and nobody says that it is overdue`];
  });
}
