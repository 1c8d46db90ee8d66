/** Puts a request into the stream, waits for what the leader says to it, and prints that. */

import { randomUUID } from "node:crypto";
import { celeryTaskId } from "../celery/ids.ts";
import { systemClock } from "../clock.ts";
import { parseDuration } from "../config/duration.ts";
import { BeatError, EXIT, UsageError } from "../errors.ts";
import type { JournalRow } from "../event.ts";
import { millisecondsOf, rowOf } from "../event.ts";
import { fireIdOf, wantedName } from "../fire.ts";
import type { Journal, Lease } from "../ports.ts";
import type { Requests } from "../request.ts";
import { neededId, ringOf } from "../asked/ring.ts";
import { redisJournal } from "../redis/journal.ts";
import { keysOf } from "../redis/keys.ts";
import { redisRequests } from "../redis/requests.ts";
import { encodeRequest, NOTE_MAX, REQUEST_ID } from "../request.ts";
import { otherFirst } from "./asked_first.ts";
import type { OpenedJournal } from "./open_journal.ts";
import { harmless } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import { unknownTask } from "./unknown_task.ts";

export interface AskOptions {
  readonly id?: string;
  readonly note?: string;
  /** How long to wait for a sign of the leader. */
  readonly timeout?: string;
  /** `false`: leave it in the stream and go. @default true */
  readonly wait?: boolean;
  readonly json?: boolean;
}

export type Ask = Parameters<typeof encodeRequest>[0];

/** What became of a request, as far as was waited for. */
export interface Asked {
  readonly state: "queued" | "accepted" | "done" | "refused" | "repeated";
  readonly reason: string | null;
  readonly published: number;
  readonly passed: number;
  /** The entry that was taken up under its id. */
  readonly firstId: string | null;
}

const NOT_HEARD: Asked = {
  ...{ state: "queued", reason: null, published: 0, passed: 0, firstId: null },
};

const TIMEOUT_DEFAULT = "10s";
const LOOK_MS = 100;

/** Requests that may wait for a leader; more are a loop that somebody forgot. */
const WAITING_MAX = 1_000;

/** Who asks, in which words, and under which id. @throws {UsageError} */
export function headOf({ id, note = "" }: AskOptions, shell: Pick<Shell, "env">) {
  if (id !== undefined && !REQUEST_ID.test(id)) {
    throw new UsageError(
      `expected \`--id\` to be 1 to 64 letters, digits, \`_\`, \`.\`, \`:\` and \`-\`, got "${id}"`,
    );
  }
  if (note.length > NOTE_MAX || /\p{Cc}/u.test(note)) {
    throw new UsageError(`expected \`--note\` to be one line of at most ${NOTE_MAX} characters`);
  }
  const user = shell.env.USER ?? shell.env.LOGNAME ?? "somebody";
  const who = harmless(`${user}@${Deno.hostname()}`).slice(0, 200);
  return { id: id ?? `r${randomUUID().replaceAll("-", "").slice(0, 10)}`, who, note };
}

/**
 * @returns the exit code
 * @throws {UsageError | JournalUnavailableError | BeatError}
 */
export async function ask(
  opened: OpenedJournal,
  request: Ask,
  options: AskOptions,
  shell: Shell,
): Promise<number> {
  const timeoutMs = timeoutOf(options);
  const { namespace, transport } = opened.config.settings;
  const keys = keysOf(namespace, transport.globalKeyPrefix);
  const desk = {
    requests: redisRequests(opened.client, keys),
    journal: redisJournal(opened.client, keys),
    lease: opened.lease,
  };
  const { entryId, fromId } = await append(desk, request);
  const told = { request, entryId, namespace, isLed: true };
  let asked = NOT_HEARD;
  if (options.wait ?? true) {
    asked = await waitFor(desk.journal, { request, entryId, fromId, timeoutMs, shell });
    asked = await unlessTaken(desk.journal, request, asked);
  }
  if (asked.state === "queued" || asked.state === "accepted") {
    told.isLed = (await desk.lease.look()).leader !== null;
  }
  if (options.json) shell.out(`${JSON.stringify(askedObject(asked, told), null, 2)}\n`);
  else sayAsked(asked, told, shell);
  const isOpen = asked.state === "queued" || asked.state === "refused";
  const note = isOpen && request.task !== null ? unknownTask(request.task, opened.config) : null;
  if (note !== null) shell.err(`${note}\n`);
  return exitOf(asked, told.isLed, options.wait ?? true);
}

function timeoutOf({ timeout = TIMEOUT_DEFAULT }: AskOptions): number {
  const timeoutMs = parseDuration(timeout);
  if (timeoutMs !== null) return timeoutMs;
  throw new UsageError(`expected \`--timeout\` to be a duration (10s, 5m), got "${timeout}"`);
}

interface Desk {
  readonly requests: Requests;
  readonly journal: Pick<Journal, "load" | "read">;
  readonly lease: Pick<Lease, "look">;
}

async function append(
  { requests, journal }: Desk,
  request: Ask,
): Promise<{ entryId: string; fromId: string }> {
  const loaded = await journal.load("cursors");
  const ring = ringOf(loaded.cursors);
  const waiting = await requests.after(ring.lastId, WAITING_MAX);
  if (waiting.length >= WAITING_MAX) {
    throw new BeatError(
      "REQUESTS",
      EXIT.tryAgain,
      `expected fewer than ${WAITING_MAX} requests to wait for a leader: start Beat, or look who asks`,
    );
  }
  const entryId = await requests.append(encodeRequest(request), neededId(ring));
  return { entryId, fromId: loaded.lastId };
}

/** Until the end of it, or no sign of the leader for a while. */
async function waitFor(
  journal: Pick<Journal, "read">,
  { request, entryId, fromId, timeoutMs, shell }: {
    request: Ask;
    entryId: string;
    fromId: string;
    timeoutMs: number;
    shell: Shell;
  },
): Promise<Asked> {
  let asked = NOT_HEARD;
  let seenId = fromId;
  let signMs = systemClock.monotonicMs();
  while (!shell.signal.aborted && systemClock.monotonicMs() - signMs < timeoutMs) {
    for await (const row of journal.read({ from: seenId, to: "+" })) {
      seenId = row.id;
      const next = row.id === fromId ? null : after(asked, row, request, entryId);
      if (next === null) continue;
      asked = next;
      signMs = systemClock.monotonicMs();
      if (asked.state !== "queued" && asked.state !== "accepted") return asked;
    }
    await systemClock.sleep(LOOK_MS, shell.signal);
  }
  return asked;
}

/** `null` where the row says nothing of it. */
function after(asked: Asked, row: JournalRow, { id, task }: Ask, entryId: string): Asked | null {
  if (row.type === "fire.published" && row.task === wantedName(task ?? "", id)) {
    return { ...asked, published: asked.published + 1 };
  }
  const requested = rowOf(row, "control.requested");
  if (requested?.detail.entryId === entryId) return { ...asked, state: "accepted" };
  const answered = rowOf(row, "control.answered");
  if (answered === null || answered.detail.entryId !== entryId) return null;
  const { result, reason, published, passed, firstId } = answered.detail;
  return {
    state: result,
    reason: reason ?? null,
    published: published ?? asked.published,
    passed: passed ?? 0,
    firstId: firstId ?? (result === "repeated" ? null : entryId),
  };
}

/** Under an id that was given to another request, nothing was done of this one. */
async function unlessTaken(
  journal: Pick<Journal, "read">,
  { id, kind, task }: Ask,
  asked: Asked,
): Promise<Asked> {
  if (asked.state !== "repeated" || asked.firstId === null) return asked;
  const other = await otherFirst(journal, { id, kind, task }, asked.firstId);
  if (other === null) return asked;
  const what = `${other.kind ?? "a request"} ${other.task ?? "of all tasks"}`;
  const reason = `its id was given to ${what} before; ask under another \`--id\``;
  return { ...asked, state: "refused", reason, firstId: null };
}

interface Told {
  readonly request: Ask;
  readonly entryId: string;
  readonly namespace: string;
  readonly isLed: boolean;
}

/** The fire that a trigger wanted; `null` where there is none. */
function fireOf({ firstId, state }: Asked, { request: { kind, task, id } }: Told): string | null {
  const isThere = kind === "trigger" && task !== null && firstId !== null;
  if (!isThere || state === "refused") return null;
  return fireIdOf(wantedName(task, id), millisecondsOf(firstId));
}

/** For programs. Names are stable. */
function askedObject(asked: Asked, told: Told): Record<string, unknown> {
  const { request: { kind, id, task, who, note }, entryId, namespace } = told;
  const fireId = fireOf(asked, told);
  const { firstId: _, ...own } = asked;
  return {
    ...{ request: id, kind, task, who, note, entry: entryId, ...own },
    fire_id: fireId,
    celery_task_id: fireId === null ? null : celeryTaskId(namespace, fireId),
  };
}

function sayAsked(asked: Asked, told: Told, shell: Shell): void {
  const { state, reason, published, passed } = asked;
  const { request: { id, kind, task } } = told;
  const what = `${kind} ${task ?? "of all tasks"} (${id})`;
  const why = reason === null ? "" : `: ${harmless(reason)}`;
  switch (state) {
    case "queued":
      shell.out(`queued: ${what}\n`);
      shell.err(
        told.isLed
          ? "the leader takes it up; `beat journal --type control` tells what became of it\n"
          : `nobody leads (namespace ${told.namespace}): it is carried out when a replica takes ` +
            "over\n",
      );
      return;
    case "accepted":
      shell.out(`accepted: ${what}, ${published} published so far\n`);
      shell.err("it goes on with whoever leads; `beat journal --type control` tells its end\n");
      return;
    case "done": {
      const passedText = passed === 0
        ? ""
        : `, ${passed} that the schedule sends itself passed over`;
      const count = kind === "backfill" ? `, ${published} published${passedText}` : "";
      shell.out(`done: ${what}${count}${why}\n`);
      return sayFire(asked, told, shell);
    }
    case "repeated":
      shell.out(`nothing to do: ${what} was asked before${why}\n`);
      return sayFire(asked, told, shell);
    case "refused":
      shell.err(`refused: ${what}${why}\n`);
  }
}

function sayFire(asked: Asked, told: Told, shell: Shell): void {
  const fireId = fireOf(asked, told);
  if (fireId === null) return;
  shell.out(`fire ${fireId}, Celery task id ${celeryTaskId(told.namespace, fireId)}\n`);
}

function exitOf({ state }: Asked, isLed: boolean, isWaiting: boolean): number {
  if (state === "done" || state === "repeated") return EXIT.ok;
  if (state === "refused") return EXIT.failure;
  if (!isLed) return EXIT.notLeading;
  return isWaiting ? EXIT.tryAgain : EXIT.ok;
}
