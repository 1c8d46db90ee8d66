/** Which Redis is the broker, and where results are: from the variables, as the workers read them. */

import { existsSync } from "node:fs";

import type { Problem } from "../errors.ts";
import type { RedisEndpoint } from "../settings.ts";
import { describeEndpoint } from "../settings.ts";
import type { Values } from "./variables.ts";
import type { ParsedUrl, UrlContext } from "./redis_url.ts";
import { parseRedisUrl } from "./redis_url.ts";

export interface Endpoints {
  readonly broker: RedisEndpoint | null;
  readonly backend: RedisEndpoint | null;
}

type UrlName = "BEAT_REDIS_URL" | "CELERY_BROKER_URL" | "CELERY_RESULT_BACKEND";

interface Notes {
  readonly problems: Problem[];
  readonly hints: string[];
  /** Where a variable was set, for a problem. */
  whereOf(name: string): string;
}

/** Nothing of a URL but its scheme ever gets into a problem or a hint. */
export function endpointsOf(
  values: Values,
  context: UrlContext & Notes & { readonly hasRedisUrl: boolean },
): Endpoints {
  const { hints } = context;
  const fallback = fallbackOf(values);
  const brokerName = values.BEAT_REDIS_URL !== undefined ? "BEAT_REDIS_URL" : "CELERY_BROKER_URL";
  const broker = values[brokerName] === undefined
    ? fallback
    : named({ name: brokerName, text: values[brokerName] }, context);
  if (
    values.BEAT_REDIS_URL !== undefined && values.CELERY_BROKER_URL !== undefined &&
    values.BEAT_REDIS_URL !== values.CELERY_BROKER_URL
  ) {
    hints.push(
      "BEAT_REDIS_URL goes before CELERY_BROKER_URL, and they differ: workers that read the latter " +
        "do not see what Beat publishes unless both lead to one database",
    );
  }
  if (broker === null && context.hasRedisUrl) {
    hints.push("REDIS_URL is set, but not read: workers do not read it. Set CELERY_BROKER_URL");
  }
  return { broker, backend: backendOf(values, { broker, fallback, context }) };
}

/**
 * Both URLs fall back to the same `REDIS_*`. Where none of these is set either, results are looked for
 * beside the broker: workers that are configured by nothing else keep them on a localhost where no
 * production has its Redis, so a guess at the broker is the better one.
 */
function backendOf(
  values: Values,
  { broker, fallback, context }: {
    broker: RedisEndpoint | null;
    fallback: RedisEndpoint | null;
    context: UrlContext & Notes;
  },
): RedisEndpoint | null {
  const name = "CELERY_RESULT_BACKEND";
  if (values[name] !== undefined) return named({ name, text: values[name] }, context);
  if (broker === null || fallback !== null) return fallback;
  context.hints.push(
    `results are looked for in the broker, ${
      describeEndpoint(broker)
    }; set CELERY_RESULT_BACKEND ` +
      `where they are elsewhere`,
  );
  return broker;
}

/** `null` when none of `REDIS_*` is set. */
function fallbackOf(values: Values): RedisEndpoint | null {
  const { REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD } = values;
  const isSet = [REDIS_HOST, REDIS_PORT, REDIS_DB, REDIS_PASSWORD].some((each) =>
    each !== undefined
  );
  return isSet ? redisOf(values) : null;
}

function redisOf(values: Values): RedisEndpoint {
  return {
    hosts: [{ host: values.REDIS_HOST ?? "localhost", port: values.REDIS_PORT ?? 6379 }],
    socketPath: null,
    database: values.REDIS_DB ?? 0,
    username: null,
    password: values.REDIS_PASSWORD ?? null,
    tls: null,
    sentinelMaster: null,
    sentinelPassword: null,
  };
}

/** The Redis that a variable names; a problem or, for results elsewhere, a hint when it names none. */
function named(
  { name, text }: { name: UrlName; text: string },
  context: UrlContext & Notes,
): RedisEndpoint | null {
  const { problems, hints, whereOf } = context;
  const parsed = parseRedisUrl(text, context);
  if (parsed.kind === "foreign" && name === "CELERY_RESULT_BACKEND") {
    hints.push(
      `results are not in a Redis (CELERY_RESULT_BACKEND is ${parsed.scheme}): how a task ended is ` +
        `known only where workers send events`,
    );
    return null;
  }
  if (parsed.kind !== "endpoint") {
    problems.push({ where: whereOf(name), message: refusalOf(name, parsed) });
    return null;
  }
  for (const parameter of parsed.ignored) {
    hints.push(
      `${name}: the parameter ${nameOnly(parameter)} means nothing to Beat and is ignored`,
    );
  }
  checkTls(name, parsed.endpoint, context);
  return parsed.endpoint;
}

function refusalOf(name: UrlName, parsed: Exclude<ParsedUrl, { kind: "endpoint" }>): string {
  if (parsed.kind === "refused") {
    return `expected \`${name}\` to be ${parsed.expected}, got ${parsed.got}`;
  }
  return `expected \`${name}\` to be a Redis (redis://, rediss://, redis+socket:// or sentinel://), ` +
    `got ${parsed.scheme}; Beat publishes to Celery workers on Redis only`;
}

/** A part of a password may stand where a parameter's name is expected. */
function nameOnly(parameter: string): string {
  return IGNORABLE.has(parameter) ? parameter : "(a name that is not known)";
}

/** Parameters that users of Celery and redis-py put there. */
const IGNORABLE = new Set([
  ...["virtual_host", "socket_timeout", "socket_connect_timeout", "socket_keepalive"],
  ...["health_check_interval", "retry_on_timeout", "max_connections", "decode_responses"],
  ...["ssl_check_hostname", "ssl_ca_path", "visibility_timeout", "protocol", "client_name"],
  ...["master_name", "timeout", "encoding", "health_check", "heartbeat", "ssl"],
]);

function checkTls(
  name: UrlName,
  { tls }: RedisEndpoint,
  { problems, hints, whereOf }: Notes,
): void {
  if (tls === null) return;
  if (!tls.isVerified) hints.push(`${name}: ssl_cert_reqs=none trusts any server that answers`);
  const files = { ssl_ca_certs: tls.caFile, ssl_certfile: tls.certFile, ssl_keyfile: tls.keyFile };
  for (const [parameter, file] of Object.entries(files)) {
    if (file === null || existsSync(file)) continue;
    problems.push({
      where: whereOf(name),
      message: `expected \`${parameter}\` of \`${name}\` to be a file, got one that does not exist`,
    });
  }
}
