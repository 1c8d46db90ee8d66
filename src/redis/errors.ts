/** What a refusal of Redis means: how to go on, and what a person can do about it. */

import type { RetryKind } from "../errors.ts";
import { JournalUnavailableError } from "../errors.ts";

interface Meaning {
  readonly retry: RetryKind;
  readonly advice: string;
}

/** By the first word of the reply. */
const REPLIES: Readonly<Record<string, Meaning>> = {
  LOADING: { retry: "backoff", advice: "it is loading its data after a start; wait" },
  MASTERDOWN: { retry: "backoff", advice: "this replica has lost its master; wait for a failover" },
  BUSY: { retry: "backoff", advice: "a script of somebody blocks it; see SLOWLOG, or SCRIPT KILL" },
  TRYAGAIN: { retry: "backoff", advice: "keys are being moved; wait" },
  READONLY: { retry: "reconnect", advice: "this server is a replica; point the URL at the master" },
  UNBLOCKED: { retry: "reconnect", advice: "this server has become a replica" },
  OOM: { retry: "alarm", advice: "it is out of memory; raise maxmemory or free some" },
  MISCONF: { retry: "alarm", advice: "it cannot save to its disk; make room or mend the disk" },
  NOREPLICAS: { retry: "alarm", advice: "too few replicas follow it (min-replicas-to-write)" },
  NOAUTH: { retry: "fatal", advice: "it asks for a password; put one into the URL" },
  WRONGPASS: { retry: "fatal", advice: "it refused the name or password of the URL" },
  NOPERM: {
    retry: "fatal",
    advice: "its ACL keeps something from this user; the README lists what",
  },
  WRONGTYPE: {
    retry: "fatal",
    advice: "one of Beat's keys is somebody else's; see BEAT_NAMESPACE",
  },
  MOVED: { retry: "fatal", advice: "it is a Redis Cluster, which Celery cannot use as a broker" },
  CROSSSLOT: {
    retry: "fatal",
    advice: "it is a Redis Cluster, which Celery cannot use as a broker",
  },
  CLUSTERDOWN: { retry: "fatal", advice: "it is a Redis Cluster, which Celery cannot use" },
};

/** Without a code of its own, found by its text. */
const TEXTS: readonly (readonly [RegExp, Meaning])[] = [
  [/max number of clients/, { retry: "backoff", advice: "it has no connection left (maxclients)" }],
  [/DB index is out of range|invalid DB index/, {
    retry: "fatal",
    advice: "it has no such database; the number stands at the end of the URL",
  }],
  [/unknown command/i, {
    retry: "fatal",
    advice: "it lacks a command that Beat needs; use Redis 6.2+",
  }],
];

/** Before there was any reply. */
const CONNECTION_TEXTS: readonly (readonly [RegExp, Meaning])[] = [
  [/that the sentinels name is away$/, {
    retry: "backoff",
    advice: "a failover may be under way; else see whether its address is reachable from here",
  }],
  [/^it takes connections/, {
    retry: "backoff",
    advice: "it is busy, stopped or not Redis; see what its process does, and its log",
  }],
  [/knows no master/, {
    retry: "backoff",
    advice: "write the name that it knows as broker: {master_name: …} in beat.yaml",
  }],
  [/^sentinel \S+ (NOAUTH|WRONGPASS)/, {
    retry: "backoff",
    advice: "set BEAT_SENTINEL_PASSWORD to the password of the sentinels",
  }],
  [/certificate|self-signed|CERT_/i, {
    retry: "backoff",
    advice: "its certificate is not trusted here; see ssl_ca_certs and ssl_cert_reqs",
  }],
  [/ENOTFOUND|EAI_AGAIN|getaddrinfo|lookup/, {
    retry: "backoff",
    advice: "its name is not known here",
  }],
  [/^Protocol error/, {
    retry: "backoff",
    advice: "what answers there is no Redis; is the port right, and with TLS or without?",
  }],
];

const CONSEQUENCE = /enableOfflineQueue|max retries per request|Connection is closed/;

const UNKNOWN_REPLY: Meaning = { retry: "alarm", advice: "Beat does not know this reply" };
const NO_ANSWER: Meaning = {
  retry: "backoff",
  advice: "whether it did it is not known; ask again",
};
const NO_CONNECTION: Meaning = {
  retry: "backoff",
  advice: "is it running, and reachable from here?",
};

/**
 * The error code of a reply, `ERR` where it has none, or `null` when Redis did not answer at all.
 * Redis before 7 wraps what a command in a script said: `ERR Error running script … -OOM …`.
 */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { message } = error;
  const wrapped = /^(?:ERR Error running script|Ready check failed).*?[:\s]-?([A-Z]{3,}) /.exec(
    message,
  );
  if (wrapped !== null) return wrapped[1]!;
  const code = /^-?([A-Z]{2,}) /.exec(message)?.[1] ?? null;
  return error.name === "ReplyError" ? code ?? "ERR" : null;
}

/** Whether another connection may find a server that can write. */
export function isForAnotherServer(error: unknown): boolean {
  return meaningOf(error).retry === "reconnect";
}

/** No reply in time: the connection may be dead without knowing it. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === "Command timed out";
}

/**
 * @param where the server, for people
 * @param lastError why the connection is down; `null` when it is not known to be
 */
export function unavailable(
  error: unknown,
  where: string,
  lastError: Error | null,
): JournalUnavailableError {
  if (error instanceof JournalUnavailableError) return error;
  const isUnanswered = codeOf(error) === null;
  const cause = isUnanswered && !isTimeout(error) ? lastError ?? error : firstOf(error);
  const { retry, advice } = meaningOf(cause);
  withoutArguments(cause);
  return new JournalUnavailableError(`Redis at ${where}: ${saidBy(cause)} (${advice})`, retry, {
    cause,
  });
}

/** Said by the client of itself: the reason has been said before. */
export function isConsequence(error: unknown): boolean {
  return error instanceof Error && CONSEQUENCE.test(error.message);
}

/** A transaction that was dropped (EXECABORT): the refusal that was the reason. */
function firstOf(error: unknown): unknown {
  const earlier = error instanceof Error && "previousErrors" in error ? error.previousErrors : null;
  return Array.isArray(earlier) ? earlier[0] ?? error : error;
}

/** The client hangs the refused command on an error: passwords, messages. Errors end up in logs. */
export function withoutArguments(error: unknown): void {
  if (error instanceof Error && "command" in error) delete error.command;
}

/** What came, without the hash and line of a script, and in words where the client has only its own. */
function saidBy(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (CONSEQUENCE.test(message)) return "no connection";
  const inner = /^ERR Error running script.*?-?([A-Z]{3,} .*)$/s.exec(message)?.[1] ?? message;
  return inner.replace(/\.? script: [0-9a-f]{40}.*$|\. Please report this\.$/s, "").trim();
}

function meaningOf(error: unknown): Meaning {
  const message = error instanceof Error ? error.message : "";
  const code = codeOf(error);
  if (code !== null) return REPLIES[code] ?? byText(TEXTS, message) ?? UNKNOWN_REPLY;
  return isTimeout(error) ? NO_ANSWER : byText(CONNECTION_TEXTS, message) ?? NO_CONNECTION;
}

function byText(table: typeof TEXTS, message: string): Meaning | undefined {
  return table.find(([pattern]) => pattern.test(message))?.[1];
}

/**
 * Beat's keys hold what Beat did not write.
 * @param what a clause that names the key
 * @param removal how no more than that is removed
 */
export function refuseForeign(what: string, removal = "remove that key"): JournalUnavailableError {
  return new JournalUnavailableError(
    `expected Beat's keys to hold what Beat wrote, but ${what}. Another program uses this ` +
      `namespace: choose another one (BEAT_NAMESPACE) or another database, or ${removal}`,
    "fatal",
  );
}

/** `null` where the user may not ask that. */
export async function orNull<T>(question: () => Promise<T>): Promise<T | null> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof JournalUnavailableError && codeOf(error.cause) === "NOPERM") return null;
    throw error;
  }
}
