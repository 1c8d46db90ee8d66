/**
 * What Beat remembers of a published fire: the values of `beat:open`, as text. The scripts compare
 * these texts whole, so each state has one spelling.
 */

import { invariant } from "./errors.ts";
import { openIdOf, parseOpenId } from "./fire.ts";

/** Where a published fire stands: `queued`, `taken` by a worker, or `acked` and not seen to finish. */
export type OpenState = "queued" | "taken" | "acked";

/** A published fire that is not closed. Times are Unix milliseconds. */
export interface OpenFire {
  readonly task: string;
  readonly dueMs: number;
  readonly attempt: number;
  /** The list that it was pushed to, with its priority suffix, without the global key prefix. */
  readonly list: string;
  /** The fence under which it was published; part of the delivery tag. */
  readonly fence: number;
  readonly publishedMs: number;
  /** The message's own end, or `null`. */
  readonly expiresMs: number | null;
  /** By then a worker should have taken it, as it was delivered last; of an acked one, when it was acked. */
  readonly takeByMs: number;
  /** How long each delivery may wait for a worker. Milliseconds. */
  readonly takeWithinMs: number;
  readonly giveUpMs: number;
  readonly state: OpenState;
  readonly isOverdue: boolean;
  /** Deliveries seen beyond the first. */
  readonly redeliveries: number;
}

const STATE_CODE: Record<OpenState, string> = { queued: "q", taken: "t", acked: "a" };
const STATE_OF = new Map(
  (Object.entries(STATE_CODE) as [OpenState, string][]).map(([state, code]) => [code, state]),
);

/** Never taken as far as anybody knows: its place in the list follows from when it was published. */
export function isWaiting(open: OpenFire): boolean {
  return open.state === "queued" && open.redeliveries === 0;
}

/** The field of `beat:open` that it stands in. */
export function openKey(open: OpenFire): string {
  return openIdOf(open.task, open.dueMs, open.attempt);
}

/** Spans are stored relative to the publish time: small numbers stay small. */
export function encodeOpen(open: OpenFire): string {
  const { publishedMs, takeWithinMs } = open;
  const expires = open.expiresMs === null ? "" : open.expiresMs - publishedMs;
  const flags = open.isOverdue ? `${STATE_CODE[open.state]}o` : STATE_CODE[open.state];
  const takeBy = open.takeByMs - publishedMs;
  const take = takeBy === takeWithinMs ? takeBy : `${takeBy}/${takeWithinMs}`;
  return `${flags} ${open.redeliveries} ${open.fence} ${publishedMs} ${expires} ` +
    `${take} ${open.giveUpMs - publishedMs} ${open.list}`;
}

/** @param key from {@link openKey} */
export function decodeOpen(key: string, text: string): OpenFire {
  const id = parseOpenId(key);
  const [flags, redeliveries, fence, published, expires, take, giveUp, ...list] = text.split(" ");
  const state = STATE_OF.get(flags?.[0] ?? "");
  const publishedMs = Number(published);
  const [takeBy, takeWithin = takeBy] = (take ?? "").split("/");
  invariant(
    id !== null && state !== undefined && Number.isSafeInteger(publishedMs) && list.length > 0,
    `expected an open fire, got "${key}": "${text}"`,
  );
  return {
    ...id,
    state,
    isOverdue: flags?.[1] === "o",
    redeliveries: Number(redeliveries),
    fence: Number(fence),
    publishedMs,
    expiresMs: expires === "" ? null : publishedMs + Number(expires),
    takeByMs: publishedMs + Number(takeBy),
    takeWithinMs: Number(takeWithin),
    giveUpMs: publishedMs + Number(giveUp),
    list: list.join(" "),
  };
}
