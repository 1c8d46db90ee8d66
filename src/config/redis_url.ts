/**
 * A Redis as Celery users name it: `redis://`, `rediss://`, `redis+socket://`, `sentinel://`.
 * Cut the way Kombu cuts it, and never quoted in an answer: a mistyped password can end up in any part.
 */

import type { RedisEndpoint } from "../settings.ts";

/** What is not in the URL. */
export interface UrlContext {
  /** `master_name` of Celery's transport options; a parameter of the URL goes before it. */
  readonly masterName: string | null;
  readonly sentinelPassword: string | null;
}

export type ParsedUrl =
  /** `ignored`: names of parameters that mean nothing here. */
  | { readonly kind: "endpoint"; readonly endpoint: RedisEndpoint; readonly ignored: string[] }
  /** A well-known broker or backend that is no Redis. `scheme` is safe to show. */
  | { readonly kind: "foreign"; readonly scheme: string }
  /** Both without any part of the URL. */
  | { readonly kind: "refused"; readonly expected: string; readonly got: string };

const SCHEMES = ["redis", "rediss", "redis+socket", "sentinel"] as const;
type Scheme = (typeof SCHEMES)[number];

/** What Celery can use instead of Redis, as broker or for results; only these names are ever shown. */
const FOREIGN =
  /^(amqps?|pyamqp|librabbitmq|qpid|sqs|memory|filesystem|file|zookeeper|consul|kafka|confluentkafka|pyro|azureservicebus|azurestoragequeues|gcpubsub|mongodb|sqla|sqlalchemy|db|database|rpc|cache|django-db|django-cache|elasticsearch|cassandra|couchbase|couchdb|dynamodb|azureblockblob|cosmosdbsql|arangodb|s3|gs|gcs|etcd|disabled)(\+[a-z0-9_]+)*(:|$)/i;

const PERCENT =
  "a password with any of `/?#@:;%` in it must be percent-encoded (the value is not shown)";

/** @param text one URL, or Celery's list of sentinels with `;` between them */
export function parseRedisUrl(text: string, context: UrlContext): ParsedUrl {
  const urls = text.trim().split(";").map((url) => url.trim()).filter((url) => url !== "");
  const scheme = schemeOf(urls[0] ?? "");
  if (scheme === null) {
    const foreign = FOREIGN.exec(text.trim());
    if (foreign !== null) return { kind: "foreign", scheme: foreign[1]! };
    return refuse(`${SCHEMES.map((each) => `${each}://`).join(", ")}…`, "something else");
  }
  if (urls.length > 1 && scheme !== "sentinel") {
    return refuse("one Redis", `${urls.length} URLs; a list is for sentinels only, and ${PERCENT}`);
  }
  const parts: UrlParts[] = [];
  for (const url of urls) {
    const part = cut(url, { scheme });
    if (part.kind === "refused") return part;
    parts.push(part);
  }
  return scheme === "redis+socket"
    ? socketEndpoint(parts[0]!)
    : networkEndpoint(parts, { scheme, context });
}

function refuse(expected: string, got: string): Extract<ParsedUrl, { kind: "refused" }> {
  return { kind: "refused", expected, got };
}

function schemeOf(url: string): Scheme | null {
  return SCHEMES.find((scheme) => url.startsWith(`${scheme}://`)) ?? null;
}

interface UrlParts {
  readonly kind: "parts";
  readonly host: string;
  readonly port: number | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

/** The authority ends at the first `/`, `?` or `#`; its last `@` ends the password. */
function cut(
  url: string,
  { scheme }: { scheme: Scheme },
): UrlParts | Extract<ParsedUrl, { kind: "refused" }> {
  const rest = url.startsWith(`${scheme}://`) ? url.slice(scheme.length + 3) : url;
  const end = rest.search(/[/?#]|$/);
  const authority = rest.slice(0, end);
  const [beforeHash = ""] = rest.slice(end).split("#");
  const [path = "", query = ""] = splitOnce(beforeHash, "?");
  const at = authority.lastIndexOf("@");
  const [username = "", password = ""] = splitOnce(authority.slice(0, Math.max(0, at)), ":");
  const address = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]*))(?::(\d{1,5}))?$/
    .exec(authority.slice(at + 1));
  const port = address?.[3] === undefined ? null : Number(address[3]);
  if (address === null || (port !== null && (port < 1 || port > 65_535))) {
    const form = `${scheme}://[user:password@]host[:port][/database] with a port from 1 to 65535`;
    return refuse(form, `another host or port; ${PERCENT}`);
  }
  return {
    kind: "parts",
    host: address[1] ?? address[2] ?? "",
    port,
    username: percentDecoded(username) || null,
    password: percentDecoded(password) || null,
    path: percentDecoded(path),
    query: new Map([...new URLSearchParams(query)]),
  };
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** As Python's `unquote`: what is no valid escape stays as it is. */
export function percentDecoded(text: string): string {
  return text.replaceAll(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}

function networkEndpoint(
  parts: readonly UrlParts[],
  { scheme, context }: { scheme: Scheme; context: UrlContext },
): ParsedUrl {
  const isSentinel = scheme === "sentinel";
  const query = new Map(parts.flatMap((part) => [...part.query]));
  const path = parts.map((part) => part.path.replace(/^\/|\/$/g, "")).findLast((each) =>
    each !== ""
  );
  // As Celery's result backend takes it.
  const database = databaseOf(query.get("db") || path || "");
  if (database === null) return refuse("a database number behind the host", "something else there");
  const master = isSentinel ? query.get("master_name") || context.masterName : null;
  if (isSentinel && master === null) {
    const got =
      "none; write broker: {master_name: mymaster} in beat.yaml, or ?master_name=mymaster";
    return refuse("sentinels with the name of their master", got);
  }
  const tls = tlsOf(query, scheme);
  if (tls === undefined) {
    return refuse("`ssl_cert_reqs` as required, optional or none", "another value");
  }
  const known = new Set(["db", ...TLS_PARAMETERS, ...(isSentinel ? ["master_name"] : [])]);
  // A last `;?master_name=…` names no host.
  const named = parts.filter(({ host }) => host !== "");
  return {
    kind: "endpoint",
    endpoint: {
      hosts: (named.length > 0 ? named : parts.slice(0, 1)).map(({ host, port }) => ({
        host: host || "localhost",
        port: port ?? (isSentinel ? 26_379 : 6_379),
      })),
      socketPath: null,
      database,
      username: firstOf(parts, "username"),
      password: firstOf(parts, "password"),
      tls,
      sentinelMaster: master,
      sentinelPassword: isSentinel ? context.sentinelPassword : null,
    },
    ignored: [...query.keys()].filter((name) => !known.has(name)),
  };
}

function firstOf(parts: readonly UrlParts[], field: "username" | "password"): string | null {
  return parts.find((part) => part[field] !== null)?.[field] ?? null;
}

function socketEndpoint(part: UrlParts): ParsedUrl {
  const { path, query, username, password } = part;
  const database = databaseOf(
    query.get("db") || (query.get("virtual_host") ?? "").replace(/^\//, ""),
  );
  if (database === null) return refuse("`virtual_host` as a database number", "something else");
  if (part.host !== "" || !path.startsWith("/") || path === "/") {
    return refuse("redis+socket:///path/to/redis.sock", `another form; ${PERCENT}`);
  }
  return {
    kind: "endpoint",
    endpoint: {
      hosts: [],
      socketPath: path,
      database,
      username,
      password,
      tls: null,
      sentinelMaster: null,
      sentinelPassword: null,
    },
    ignored: [...query.keys()].filter((name) => !["db", "virtual_host"].includes(name)),
  };
}

/** `null` when `text` is no database; none given is 0. */
function databaseOf(text: string): number | null {
  if (text === "") return 0;
  return /^\d{1,6}$/.test(text) ? Number(text) : null;
}

const TLS_PARAMETERS = ["ssl_cert_reqs", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"] as const;

/** For a client, Python's `optional` is the same as `required`. */
const CERTIFICATE_CHECKS: ReadonlyMap<string, boolean> = new Map([
  ["none", false],
  ["optional", true],
  ["required", true],
]);

/** `null` for a plain connection, `undefined` for a check that does not exist. */
function tlsOf(
  query: ReadonlyMap<string, string>,
  scheme: Scheme,
): RedisEndpoint["tls"] | undefined {
  const parameters = TLS_PARAMETERS.map((name) => query.get(name) || null);
  if (scheme !== "rediss" && parameters.every((each) => each === null)) return null;
  const [check, caFile = null, certFile = null, keyFile = null] = parameters;
  const isVerified = CERTIFICATE_CHECKS.get(
    (check ?? "required").toLowerCase().replace(/^cert_/, ""),
  );
  return isVerified === undefined ? undefined : { caFile, certFile, keyFile, isVerified };
}
