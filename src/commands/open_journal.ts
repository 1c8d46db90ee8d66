/** Opens the journal that the configuration names, for commands that only look. */

import { loadConfig } from "../config/load.ts";
import { BeatError, EXIT } from "../errors.ts";
import type { Journal, Lease } from "../ports.ts";
import { connect, untilReady } from "../redis/client.ts";
import { EMBEDDED_DIR, withEmbedded } from "../redis/embedded.ts";
import { redisJournal } from "../redis/journal.ts";
import { keysOf } from "../redis/keys.ts";
import { redisLease } from "../redis/lease.ts";
import type { Config, RedisEndpoint } from "../settings.ts";
import type { Shell } from "./shell.ts";

/** Who looks does not wait long for a server that does not answer. */
const ANSWER_MAX_MS = 5_000;

/** Where the embedded Redis of a running Beat leaves its port, from the working directory. */
const EMBEDDED_PORT = `${EMBEDDED_DIR}/port`;

export interface OpenedJournal {
  readonly journal: Pick<Journal, "load" | "reload" | "read" | "readBack">;
  readonly lease: Pick<Lease, "look">;
  readonly config: Config;
  /** The connection itself, for what else there is to look at. */
  readonly client: ReturnType<typeof connect>;
  close(): void;
}

/**
 * @throws {ConfigError} also when no broker is configured and none is embedded
 * @throws {JournalUnavailableError} at once when the server refuses, else after a few seconds
 */
export async function openJournal(env: Shell["env"]): Promise<OpenedJournal> {
  const config = await orEmbedded(await loadConfig(env), env);
  const { broker, namespace, transport } = config.settings;
  const client = connect(brokerOf(broker), { name: "beat-look", commandTimeoutMs: ANSWER_MAX_MS });
  const refused = new AbortController();
  client.once("error", () => refused.abort());
  try {
    await untilReady(client, AbortSignal.any([refused.signal, AbortSignal.timeout(ANSWER_MAX_MS)]));
  } catch (error) {
    client.disconnect();
    throw error;
  }
  const keys = keysOf(namespace, transport.globalKeyPrefix);
  return {
    journal: redisJournal(client, keys),
    lease: redisLease(client, keys),
    config,
    client,
    close: () => client.disconnect(),
  };
}

/** Without a broker, profile `dev` looks at the Redis that `beat` embeds. */
async function orEmbedded(config: Config, env: Shell["env"]): Promise<Config> {
  if (config.settings.broker !== null || config.settings.profile !== "dev") return config;
  const port = await Deno.readTextFile(EMBEDDED_PORT).catch(() => null);
  if (port === null) return config;
  return await loadConfig(withEmbedded(env, `redis://127.0.0.1:${port.trim()}/0`));
}

function brokerOf(broker: RedisEndpoint | null): RedisEndpoint {
  if (broker !== null) return broker;
  throw new BeatError(
    "CONFIG",
    EXIT.usage,
    "expected `--broker` or CELERY_BROKER_URL to say where the broker is, got nothing; " +
      "set one, or look from the directory in which `beat` runs with a Redis of its own",
  );
}
