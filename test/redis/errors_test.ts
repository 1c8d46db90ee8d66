/** What each refusal of Redis becomes, asked of a server that answers nothing else. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import type { RetryKind } from "../../src/errors.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { connect, untilReady } from "../../src/redis/client.ts";
import { redisJournal } from "../../src/redis/journal.ts";
import { keysOf } from "../../src/redis/keys.ts";
import { redisLease } from "../../src/redis/lease.ts";
import { endpointAt } from "../support/endpoint.ts";
import type { FakeRedis } from "../support/fake_redis.ts";
import { startFakeRedis } from "../support/fake_redis.ts";
import { openAt, publishStep, settlementOf, T0 } from "../support/steps.ts";

const SHA = "f0fef02e02b27f9cbf327e96592e5d9a05cdf32b";
/** Reply, kind, and a word of the advice. Texts as Redis 7.0 and, where it differs, 6.2 sends them. */
const REPLIES: readonly (readonly [reply: string, retry: RetryKind, advice: RegExp])[] = [
  ["LOADING Redis is loading the dataset in memory", "backoff", /wait/],
  [
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "backoff",
    /failover/,
  ],
  [
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "backoff",
    /SLOWLOG/,
  ],
  ["TRYAGAIN Multiple keys request during rehashing of slot", "backoff", /wait/],
  ["ERR max number of clients reached", "backoff", /maxclients/],
  [
    `READONLY You can't write against a read only replica. script: ${SHA}, on @user_script:1.`,
    "reconnect",
    /master/,
  ],
  [
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "reconnect",
    /replica/,
  ],
  [
    `OOM command not allowed when used memory > 'maxmemory'. script: ${SHA}, on @user_script:74.`,
    "alarm",
    /maxmemory/,
  ],
  [
    `ERR Error running script (call to f_${SHA}): @user_script:74: @user_script: 74: -OOM command not allowed when used memory > 'maxmemory'. `,
    "alarm",
    /maxmemory/,
  ],
  [
    `ERR Error running script (call to f_${SHA}): @user_script:74: @user_script: 74: -READONLY You can't write against a read only replica. `,
    "reconnect",
    /master/,
  ],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "alarm",
    /disk/,
  ],
  ["MISCONF Errors writing to the AOF file: No space left on device", "alarm", /disk/],
  ["NOREPLICAS Not enough good replicas to write.", "alarm", /min-replicas-to-write/],
  ["NOAUTH Authentication required.", "fatal", /password/],
  ["WRONGPASS invalid username-password pair or user is disabled.", "fatal", /password/],
  ["NOPERM this user has no permissions to run the 'evalsha' command", "fatal", /ACL/],
  ["WRONGTYPE Operation against a key holding the wrong kind of value", "fatal", /BEAT_NAMESPACE/],
  ["CROSSSLOT Keys in request don't hash to the same slot", "fatal", /Cluster/],
  ["MOVED 3999 127.0.0.1:6381", "fatal", /Cluster/],
  ["CLUSTERDOWN The cluster is down", "fatal", /Cluster/],
  ["ERR unknown command 'EVALSHA', with args beginning with: ", "fatal", /6\.2/],
  ["ERR something that nobody has seen yet", "alarm", /does not know/],
];

describe("redisJournal() and redisLease()", () => {
  for (const [reply, retry, advice] of REPLIES) {
    it(`say ${retry} to ${reply.slice(0, 60)}`, async () => {
      await withFake(() => `-${reply}\r\n`, async (fake, { journal, lease }) => {
        for (
          const ask of [
            () => journal.commit([publishStep(null, T0)], 1),
            () => journal.settle([settlementOf(openAt(T0))], 1),
            () => lease.renew({ owner: "me", fence: 1, ttlMs: 5_000 }),
          ]
        ) {
          // A connection given up for another server is not there for the next question.
          if (retry === "reconnect") await journal.ready();
          const error = await refusal(ask());
          assert.equal(error.retry, retry);
          assert.match(error.message, advice);
          assert.match(error.message, new RegExp(`^Redis at redis://127.0.0.1:${fake.port}/0: `));
          assert.doesNotMatch(error.message, new RegExp(SHA));
        }
      });
    });
  }

  it("send a script's text in the same attempt where the server has lost it", async () => {
    const answer = ([name]: readonly string[]) =>
      name === "EVALSHA" ? "-NOSCRIPT No matching script. Please use EVAL.\r\n" : "*1\r\n:1\r\n";
    await withFake(answer, async (fake, { journal }) => {
      assert.deepEqual(await journal.commit([publishStep(null, T0)], 1), { kind: "fenced" });
      const [bySha, byText] = fake.commands.filter(([name]) => name?.startsWith("EVAL"));
      assert.deepEqual(bySha?.slice(2), byText?.slice(2));
      assert.match(byText?.[1] ?? "", /redis.call/);
    });
  });

  it("look for another server, at most five times a second, when this one cannot write", async () => {
    await withFake(() => "-READONLY You can't write.\r\n", async (fake, { journal }) => {
      const startedMs = performance.now();
      for (let tries = 1; tries <= 3; tries++) {
        await journal.ready();
        await refusal(journal.commit([publishStep(null, T0)], 1));
        await fake.connected(tries + 1);
      }
      assert.ok(performance.now() - startedMs >= 3 * 190);
    });
  });

  it("give up waiting for an answer, and the connection with it", async () => {
    await withFake(() => null, async (fake, { journal }) => {
      const error = await refusal(journal.commit([publishStep(null, T0)], 1));
      assert.equal(error.retry, "backoff");
      assert.match(error.message, /Command timed out.*ask again/);
      await fake.connected(2);
    });
  });

  it("do not wait for a connection", async () => {
    await withFake(() => null, async (fake, { journal }) => {
      await fake.stop();
      await journal.closed();
      const error = await refusal(journal.commit([publishStep(null, T0)], 1));
      assert.equal(error.retry, "backoff");
      assert.match(error.message, /no connection|ECONNREFUSED|reachable/);
    });
  });
});

interface Ports {
  readonly journal: ReturnType<typeof redisJournal> & {
    ready(): Promise<void>;
    closed(): Promise<void>;
  };
  readonly lease: ReturnType<typeof redisLease>;
}

async function withFake(
  answer: (command: readonly string[]) => string | null,
  use: (fake: FakeRedis, ports: Ports) => Promise<void>,
): Promise<void> {
  const handshake = new Set(["CLIENT", "SELECT", "INFO"]);
  const fake = await startFakeRedis((command) =>
    handshake.has(command[0]!) ? null : answer(command)
  );
  const client = connect(endpointAt(fake.port), { commandTimeoutMs: 300, name: "test" });
  try {
    await untilReady(client, AbortSignal.timeout(5_000));
    const keys = keysOf("beat", "");
    const journal = {
      ...redisJournal(client, keys),
      ready: () => untilReady(client, AbortSignal.timeout(5_000)),
      closed: async () => {
        if (client.status === "ready") await new Promise((done) => client.once("close", done));
      },
    };
    await use(fake, { journal, lease: redisLease(client, keys) });
  } finally {
    client.disconnect();
    await fake.stop().catch(() => {});
  }
}

async function refusal(answer: Promise<unknown>): Promise<JournalUnavailableError> {
  const error = await answer.then(() => null, (reason: unknown) => reason);
  assert.ok(error instanceof JournalUnavailableError, `expected a refusal, got ${error}`);
  return error;
}
