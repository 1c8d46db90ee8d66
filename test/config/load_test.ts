import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import { validate } from "../../src/commands/validate.ts";
import { difference, loadConfig } from "../../src/config/load.ts";
import { keptShell } from "../support/shell.ts";
import { loadFiles, loadFine, withFiles, yamlTasks } from "../support/load_files.ts";

describe("loadConfig()", () => {
  it("needs nothing at all", async () => {
    const { settings, tasks, off, files } = await loadFine({});
    assert.deepEqual(settings, {
      profile: "dev",
      broker: null,
      backend: null,
      namespace: "beat",
      leaseMs: 5_000,
      logLevel: "info",
      logFormat: "auto",
      journal: { keepMs: 604_800_000, maxBytes: 256_000_000, archive: ".beat/archive" },
      transport: {
        globalKeyPrefix: "",
        sep: "\x06\x16",
        prioritySteps: [0, 3, 6, 9],
        visibilityTimeoutMs: 3_600_000,
        unackedKey: "unacked",
        unackedIndexKey: "unacked_index",
        resultKeyPrefix: "",
      },
      timezone: "UTC",
    });
    assert.deepEqual([tasks.length, off, files], [7, [], []]);
  });

  it("lets variables win over beat.yaml, and beat.yaml over defaults", async () => {
    const files = {
      "env/beat.yaml": [
        "version: 1",
        "broker:",
        "  {global_keyprefix: 'shop:', sep: '|', priority_steps: [0, 5], visibility_timeout: 2h,",
        "   unacked_key: u, unacked_index_key: ui}",
        "result_backend: {global_keyprefix: res}",
        "beat: {namespace: file, lease: 2s, log_level: warn, log_format: json}",
      ].join("\n"),
    };
    const { settings } = await loadFine(files);
    assert.deepEqual(settings.transport, {
      globalKeyPrefix: "shop:",
      sep: "|",
      prioritySteps: [0, 5],
      visibilityTimeoutMs: 7_200_000,
      unackedKey: "u",
      unackedIndexKey: "ui",
      resultKeyPrefix: "res_",
    });
    const { namespace, leaseMs, logLevel, logFormat } = settings;
    assert.deepEqual([namespace, leaseMs, logLevel, logFormat], ["file", 2_000, "warn", "json"]);
    const over = (await loadFine(files, {
      ...{ BEAT_NAMESPACE: "variable", BEAT_LEASE_SECONDS: "1.5" },
      ...{ BEAT_LOG_LEVEL: "DEBUG", BEAT_LOG_FORMAT: "text" },
    })).settings;
    assert.deepEqual(
      [over.namespace, over.leaseMs, over.logLevel, over.logFormat],
      ["variable", 1_500, "debug", "text"],
    );
  });

  for (const [prefix, expected] of [["a", "a_"], ["a:", "a:"], ["a.", "a."], ["", ""]] as const) {
    it(`puts ${JSON.stringify(expected)} before results under the prefix ${JSON.stringify(prefix)}`, async () => {
      const { settings } = await loadFine({
        "env/beat.yaml": `version: 1\nresult_backend: {global_keyprefix: ${
          JSON.stringify(prefix)
        }}`,
      });
      assert.equal(settings.transport.resultKeyPrefix, expected);
    });
  }

  it("is frozen through and through", async () => {
    const { settings, tasks } = await loadFine(
      yamlTasks("a: {task: t, queue: q, every: 1m, args: [{b: 1}]}"),
    );
    const args = tasks.at(-1)!.args as { b: number }[];
    assert.throws(() => args[0]!.b = 2, TypeError);
    assert.throws(() => (settings.transport.prioritySteps as number[]).push(1), TypeError);
  });

  it("reads the file of the command line instead of BEAT_CONFIG", async () => {
    const files = { "own.yaml": "version: 1\nbeat: {namespace: own}" };
    await withFiles(files, async (directory) => {
      const options = { directory, file: "own.yaml" };
      const { settings } = await loadConfig({ BEAT_CONFIG: "absent.yaml" }, options);
      assert.equal(settings.namespace, "own");
      await assert.rejects(
        loadConfig({}, { directory, file: "no.yaml" }),
        /the command line: expected `FILE` to be a file that can be read, got .*no\.yaml/,
      );
    });
  });

  it("never says a password: not in a problem, a hint, or what validate prints", async () => {
    // Anything that could break out of its place in a URL or a file, between marks that are found.
    const secret = fc.string({ unit: fc.constantFrom(..."/?#@%:;[]&= $!aZ0ü") })
      .map((text) => `Zq7${text}Zq7`);
    const place = fc.constantFrom(
      ...["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "BEAT_REDIS_URL"],
    );
    const scheme = fc.constantFrom("redis", "rediss", "sentinel", "redis+socket", "amqp", "x", "");
    await fc.assert(
      fc.asyncProperty(secret, place, scheme, async (password, name, kind) => {
        const files = {
          "env/.env.secrets": `REDIS_PASSWORD='${password}'\n${password}`,
          "env/beat.yaml": `version: 1\nbroker: {sentinel_password: ${JSON.stringify([password])}}`,
        };
        const env = { [name]: `${kind}://u:${password}@h:1/0?x=${password}` };
        assert.doesNotMatch((await loadFiles(files, env)).text, /Zq7/);
        const fine = `REDIS_PASSWORD='${password}'`;
        await withFiles({ "a.env": fine, "b.yaml": "version: 1" }, async (directory) => {
          const encoded = `redis://:${encodeURIComponent(password)}@h`;
          const shell = keptShell({
            env: {
              MINSY_ENV_FILE: `${directory}/a.env`,
              CELERY_BROKER_URL: encoded,
              BEAT_SENTINEL_PASSWORD: password,
            },
          });
          await validate({ file: `${directory}/b.yaml` }, shell);
          await validate({ file: `${directory}/b.yaml`, json: true }, shell);
          assert.doesNotMatch(shell.said.out + shell.said.err, /Zq7/);
        });
      }),
      { numRuns: 60 },
    );
  });
});

describe("difference()", () => {
  const base = "a: {task: t, queue: q, every: 1m}";

  it("names what is new, different and gone", async () => {
    const before = await loadFine(yamlTasks(base, "b: {task: t, queue: q, every: 1m}"));
    const after = await loadFine(yamlTasks(
      "a: {task: t, queue: q, every: 2m}",
      "c: {task: t, queue: q, every: 1m}",
    ));
    assert.deepEqual(difference(before, after), { added: ["c"], changed: ["a"], retired: ["b"] });
  });

  it("is nothing between two readings of one file", async () => {
    const files = yamlTasks(base);
    const nothing = { added: [], changed: [], retired: [] };
    assert.deepEqual(difference(await loadFine(files), await loadFine(files)), nothing);
  });

  it("takes a switch for coming and going, and a policy for a change", async () => {
    const on = await loadFine(yamlTasks(base));
    const off = await loadFine(yamlTasks("a: {task: t, queue: q, every: 1m, enabled: false}"));
    assert.deepEqual(difference(on, off).retired, ["a"]);
    assert.deepEqual(difference(off, on).added, ["a"]);
    const held = await loadFine(yamlTasks("a: {task: t, queue: q, every: 1m, importance: normal}"));
    assert.deepEqual(difference(on, held).changed, ["a"]);
  });
});
