import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "@std/testing/bdd";

import type { Config } from "../../src/settings.ts";
import { loadFine } from "../support/load_files.ts";

const read = (path: string) => readFileSync(new URL(`../../env/${path}`, import.meta.url), "utf8");

/** The examples of a profile, as if they were copied. */
function copied(profile: string): Record<string, string> {
  return Object.fromEntries(
    [".env.secrets", ".env.common", `.env.${profile}.beat`].map((
      name,
    ) => [`env/${name}`, read(`${name}.example`)]),
  );
}

describe("the examples in env/", () => {
  for (const profile of ["dev", "prod"]) {
    it(`change nothing but the broker when they are copied for ${profile}`, async () => {
      const env = { MINSY_ENV_PROFILE: profile };
      const plain = await loadFine({}, { ...env, REDIS_HOST: "localhost" });
      const { files: _files, ...config } = await loadFine(copied(profile), env);
      const { files: _none, ...expected } = plain;
      assert.deepEqual(config, expected);
    });
  }

  it("have a beat.yaml that changes nothing but policies, and a hint", async () => {
    const shipped = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const plain = await loadFine({});
    const shown = ({ hints: _hints, files: _files, tasks, ...config }: Config) => ({
      ...config,
      tasks: tasks.map(({ policies: _policies, ...task }) => task),
    });
    assert.deepEqual(shown(shipped), shown(plain));
    assert.deepEqual(shipped.hints, []);
  });

  it("have a beat.yaml that keeps the backup to the night", async () => {
    const { tasks } = await loadFine({ "env/beat.yaml": read("beat.yaml") });
    const windows = tasks.map(({ name, policies }) => [name, policies.window?.name ?? null]);
    assert.deepEqual(windows.filter(([, window]) => window !== null), [
      ["maintenance.postgres_full_backup", "off_peak"],
    ]);
  });

  it("have a beat.yaml of which every commented line works", async () => {
    const text = read("beat.yaml").replaceAll(/^( *)# (?=\w+(\.\w+)*:| {2})/gm, "$1");
    const { tasks, settings } = await loadFine({ "env/beat.yaml": text });
    assert.equal(settings.transport.globalKeyPrefix, "shop:");
    assert.deepEqual(tasks.at(-1)?.trigger, {
      ...{ kind: "cron", expression: "30 4 * * 1-5", tz: "America/New_York" },
    });
  });
});
