import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";

import { loadFiles, loadFine } from "../support/load_files.ts";

const ORDER = ["env/.env.secrets", "env/.env.common", "env/.env.prod", "env/.env.prod.beat"];

/** Every file names itself as the namespace. */
function filesUpTo(count: number): Record<string, string> {
  return Object.fromEntries(
    ORDER.slice(0, count).map((path, at) => [path, `BEAT_NAMESPACE=from-${at}`]),
  );
}

const namespaceOf = async (files: Record<string, string>, env: Record<string, string>) =>
  (await loadFine(files, env)).settings.namespace;

describe("readEnvironment()", () => {
  it("lets each later file win", async () => {
    const env = { MINSY_ENV_PROFILE: "prod" };
    for (let count = 1; count <= ORDER.length; count++) {
      assert.equal(await namespaceOf(filesUpTo(count), env), `from-${count - 1}`);
    }
  });

  it("lets the process's environment win over every file, but not when it is empty", async () => {
    const env = { MINSY_ENV_PROFILE: "prod" };
    assert.equal(await namespaceOf(filesUpTo(4), { ...env, BEAT_NAMESPACE: "process" }), "process");
    assert.equal(await namespaceOf(filesUpTo(4), { ...env, BEAT_NAMESPACE: "" }), "from-3");
  });

  it("takes an empty value in a later file for unset", async () => {
    const files = { "env/.env.common": "BEAT_NAMESPACE=a", "env/.env.dev": "BEAT_NAMESPACE=" };
    assert.equal(await namespaceOf(files, {}), "beat");
  });

  it("reads profile dev and service beat unless told otherwise", async () => {
    const files = {
      "env/.env.dev.beat": "BEAT_NAMESPACE=dev-beat",
      "env/.env.prod.beat": "BEAT_NAMESPACE=prod-beat",
      "env/.env.test.worker_io": "BEAT_NAMESPACE=test-worker",
    };
    assert.equal(await namespaceOf(files, {}), "dev-beat");
    assert.equal(await namespaceOf(files, { MINSY_ENV_PROFILE: " PROD " }), "prod-beat");
    const test = { MINSY_ENV_PROFILE: "test", MINSY_SERVICE: "worker-io" };
    assert.equal(await namespaceOf(files, test), "test-worker");
  });

  it("names the files that it read, in order", async () => {
    const { files } = await loadFine({ ...filesUpTo(4), "env/beat.yaml": "version: 1" }, {
      MINSY_ENV_PROFILE: "prod",
    });
    const ends = files.map((file) => file.slice(file.indexOf("env/")));
    assert.deepEqual(ends, [...ORDER, "env/beat.yaml"]);
  });

  it("reads MINSY_ENV_FILES, else MINSY_ENV_FILE, instead of the list", async () => {
    const files = {
      "env/.env.common": "BEAT_NAMESPACE=common\nBEAT_LOG_LEVEL=debug",
      "one.env": "BEAT_NAMESPACE=one",
      "two.env": "BEAT_NAMESPACE=two",
    };
    const { settings } = await loadFine(files, { MINSY_ENV_FILES: "one.env, two.env" });
    assert.deepEqual([settings.namespace, settings.logLevel], ["two", "info"]);
    assert.equal(await namespaceOf(files, { MINSY_ENV_FILE: "one.env" }), "one");
    const both = { MINSY_ENV_FILE: "one.env", MINSY_ENV_FILES: "two.env" };
    assert.equal(await namespaceOf(files, both), "two");
  });

  it("refuses an explicit file that does not exist", async () => {
    const { problems } = await loadFiles({}, { MINSY_ENV_FILES: "a.env,b.env" });
    assert.deepEqual(problems, [
      "MINSY_ENV_FILES: expected the env file `a.env` to be readable, got no such file",
      "MINSY_ENV_FILES: expected the env file `b.env` to be readable, got no such file",
    ]);
  });

  it("refuses a directory in the place of a file, an unknown profile, and a path as service", async () => {
    const directory = await loadFiles({ "env/.env.common/x": "" });
    assert.match(directory.problems.join(), /MINSY_ENV_PROFILE: expected the env file .* readable/);
    const { problems } = await loadFiles({}, { MINSY_ENV_PROFILE: "prd" });
    assert.deepEqual(problems, [
      'MINSY_ENV_PROFILE: expected `MINSY_ENV_PROFILE` to be dev, test or prod, got "prd"; did you mean prod?',
    ]);
    const service = await loadFiles({}, { MINSY_SERVICE: "../etc" });
    assert.match(service.problems.join(), /expected `MINSY_SERVICE` to be a service's name/);
  });

  it("places a problem where the value was set", async () => {
    const files = {
      "env/.env.common": "# first\nPOSTGRES_BACKUP_HOUR_UTC=24\nno assignment",
      "env/.env.dev": "POSTGRES_BACKUP_MINUTE_UTC=-1",
    };
    const { problems } = await loadFiles(files, { PAPER_TRADING_ENABLED: "perhaps" });
    assert.deepEqual(problems.map((problem) => problem.split(": ")[0]), [
      "env/.env.common:3",
      "env/.env.common:2",
      "env/.env.dev:1",
      "PAPER_TRADING_ENABLED",
    ]);
  });

  it("refuses a file that is not UTF-8, where a password would have other letters", async () => {
    const latin = Uint8Array.from("REDIS_PASSWORD=h\u00e4nter2", (letter) => letter.charCodeAt(0));
    const yaml = Uint8Array.from("version: 1 # \u00fc", (letter) => letter.charCodeAt(0));
    const { problems } = await loadFiles({ "env/.env.common": latin, "env/beat.yaml": yaml });
    assert.deepEqual(problems, [
      "MINSY_ENV_PROFILE: expected the env file `env/.env.common` to be readable, got text that is " +
      "not UTF-8: save it as UTF-8",
      "BEAT_CONFIG: expected `BEAT_CONFIG` to be a file that can be read, got env/beat.yaml: text " +
      "that is not UTF-8: save it as UTF-8",
    ]);
  });
});
