import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { describeEndpoint } from "../../src/settings.ts";
import { loadFiles, loadFine } from "../support/load_files.ts";

async function endpointsOf(env: Record<string, string>, files = {}) {
  const { settings: { broker, backend }, hints } = await loadFine(files, env);
  return {
    broker: broker === null ? null : describeEndpoint(broker),
    backend: backend === null ? null : describeEndpoint(backend),
    brokerPassword: broker?.password ?? null,
    backendPassword: backend?.password ?? null,
    hints: hints.filter((hint) => !hint.includes("phase")),
  };
}

describe("endpointsOf()", () => {
  it("finds no broker where nothing is set", async () => {
    const { broker, backend, hints } = await endpointsOf({});
    assert.deepEqual([broker, backend, hints], [null, null, []]);
  });

  for (
    const [name, value, url] of [
      ["REDIS_HOST", "h", "redis://h:6379/0"],
      ["REDIS_PORT", "6380", "redis://localhost:6380/0"],
      ["REDIS_DB", "3", "redis://localhost:6379/3"],
      ["REDIS_PASSWORD", "p+ /%41", "redis://localhost:6379/0"],
    ] as const
  ) {
    it(`builds both from REDIS_* where ${name} is set`, async () => {
      const found = await endpointsOf({ [name]: value });
      assert.deepEqual([found.broker, found.backend], [url, url]);
      const password = name === "REDIS_PASSWORD" ? value : null;
      assert.deepEqual([found.brokerPassword, found.backendPassword], [password, password]);
    });
  }

  it("takes each URL for itself, and REDIS_* for the one that is unset", async () => {
    const both = await endpointsOf({
      CELERY_BROKER_URL: "redis://:a@one/1",
      CELERY_RESULT_BACKEND: "redis://:b@two/2",
    });
    assert.deepEqual([both.broker, both.backend], ["redis://one:6379/1", "redis://two:6379/2"]);
    assert.deepEqual([both.brokerPassword, both.backendPassword], ["a", "b"]);
    const one = await endpointsOf({ CELERY_BROKER_URL: "redis://one", REDIS_HOST: "two" });
    assert.deepEqual([one.broker, one.backend], ["redis://one:6379/0", "redis://two:6379/0"]);
    const results = await endpointsOf({ CELERY_RESULT_BACKEND: "redis://two", REDIS_HOST: "one" });
    assert.deepEqual([results.broker, results.backend], [
      "redis://one:6379/0",
      "redis://two:6379/0",
    ]);
  });

  it("looks for results in the broker, and says so, where only CELERY_BROKER_URL is set", async () => {
    const { backend, hints } = await endpointsOf({ CELERY_BROKER_URL: "redis://one/4" });
    assert.equal(backend, "redis://one:6379/4");
    assert.match(hints.join(), /results are looked for in the broker, redis:\/\/one:6379\/4/);
  });

  it("lets BEAT_REDIS_URL go before CELERY_BROKER_URL, with a hint where they differ", async () => {
    const { broker, hints } = await endpointsOf({
      ...{ BEAT_REDIS_URL: "redis://b", CELERY_BROKER_URL: "redis://c", REDIS_HOST: "r" },
    });
    assert.equal(broker, "redis://b:6379/0");
    assert.match(hints.join(), /BEAT_REDIS_URL goes before CELERY_BROKER_URL/);
  });

  for (
    const [url, shown] of [
      ["db+postgresql://user:hunter2@h/d", "db"],
      ["rpc://", "rpc"],
      ["django-db", "django-db"],
    ] as const
  ) {
    it(`hints that results in ${shown} are out of reach`, async () => {
      const { backend, hints } = await endpointsOf({
        ...{ CELERY_BROKER_URL: "redis://h", CELERY_RESULT_BACKEND: url },
      });
      assert.equal(backend, null);
      assert.match(hints.join(), new RegExp(`CELERY_RESULT_BACKEND is ${shown}\\)`));
      assert.doesNotMatch(hints.join(), /hunter2/);
    });
  }

  it("refuses a broker that is no Redis, and says what it was", async () => {
    const { problems } = await loadFiles({}, { CELERY_BROKER_URL: "amqp://user:hunter2@h//" });
    assert.deepEqual(problems, [
      "CELERY_BROKER_URL: expected `CELERY_BROKER_URL` to be a Redis (redis://, rediss://, " +
      "redis+socket:// or sentinel://), got amqp; Beat publishes to Celery workers on Redis only",
    ]);
  });

  it("takes the sentinels' master and password from beat.yaml or a variable", async () => {
    const files = {
      "env/beat.yaml": "version: 1\nbroker: {master_name: m, sentinel_password: s}",
    };
    const url = { CELERY_BROKER_URL: "sentinel://:p@a;sentinel://b" };
    const { settings } = await loadFine(files, url);
    assert.equal(settings.broker?.sentinelMaster, "m");
    assert.equal(settings.broker?.sentinelPassword, "s");
    const variable = await loadFine(files, { ...url, BEAT_SENTINEL_PASSWORD: "v" });
    assert.equal(variable.settings.broker?.sentinelPassword, "v");
    const { problems } = await loadFiles({}, url);
    assert.match(problems.join(), /sentinels with the name of their master, got none/);
  });

  it("refuses certificates that do not exist, and hints at what it ignores", async () => {
    const { problems } = await loadFiles({}, {
      CELERY_BROKER_URL: "rediss://h?ssl_ca_certs=/no/ca.pem&ssl_keyfile=/no/key.pem",
    });
    assert.deepEqual(
      problems,
      ["ssl_ca_certs", "ssl_keyfile"].map((name) =>
        `CELERY_BROKER_URL: expected \`${name}\` of \`CELERY_BROKER_URL\` to be a file, ` +
        `got one that does not exist`
      ),
    );
    const { hints } = await endpointsOf({
      CELERY_BROKER_URL: "rediss://localhost?ssl_cert_reqs=none&socket_timeout=3&hunter2=1",
      CELERY_RESULT_BACKEND: "rpc://",
    });
    assert.match(hints.join(), /ssl_cert_reqs=none trusts any server/);
    assert.match(hints.join(), /socket_timeout means nothing/);
    assert.doesNotMatch(hints.join(), /hunter2/);
  });

  it("hints at REDIS_URL, which workers do not read", async () => {
    const { broker, hints } = await endpointsOf({ REDIS_URL: "redis://h" });
    assert.equal(broker, null);
    assert.match(hints.join(), /REDIS_URL is set, but not read/);
  });
});
