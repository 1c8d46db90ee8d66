/** Where a test's server is, as a loaded configuration would say it. */

import type { RedisEndpoint } from "../../src/settings.ts";

/** A server on loopback without password, with what a test wants otherwise. */
export function endpointAt(port: number, overrides: Partial<RedisEndpoint> = {}): RedisEndpoint {
  return {
    hosts: [{ host: "127.0.0.1", port }],
    socketPath: null,
    database: 0,
    username: null,
    password: null,
    tls: null,
    sentinelMaster: null,
    sentinelPassword: null,
    ...overrides,
  };
}
