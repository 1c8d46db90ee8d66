/** Configurations that are loaded anew from files that change under a Beat that runs. */

import assert from "node:assert/strict";
import { rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "@std/testing/bdd";
import { stub } from "@std/testing/mock";
import { serverClock, systemClock } from "../../src/clock.ts";
import { simClock } from "../support/sim_clock.ts";
import { reloader, watchFiles } from "../../src/commands/reload.ts";
import { loadConfig } from "../../src/config/load.ts";
import { rosterOf } from "../../src/core/roster.ts";
import type { Row } from "../../src/event.ts";
import type { Config } from "../../src/settings.ts";
import { aLog, T0 } from "../support/build.ts";
import { withFiles, yamlTasks } from "../support/load_files.ts";
import { readProjectFile } from "../support/source_file.ts";
import { until } from "../support/until.ts";

const FILES: Readonly<Record<string, string>> = {
  ...yamlTasks("own: { task: check.echo, queue: q, every: 5s }"),
  "env/.env.common": "PAPER_TRADING_ENABLED=false\n",
};

/** Beat's side of a reload, and what the next tick would take up. */
function aRunning(config: Config, load: (running: Config) => Promise<Config>) {
  const clock = simClock(T0);
  const log = aLog();
  const ready = (from: Config) => rosterOf(from.tasks, from.settings.transport, "beat@host");
  const declared = { roster: ready(config), rows: [] as Row[] };
  const parts = { clock, server: serverClock(clock), log, declared, load, rosterOf: ready };
  return { reload: reloader(parts, config), declared, log };
}

describe("reloader()", () => {
  it("retires nothing where a file that was read is gone or empty, and goes on when it is back", async () => {
    for (const lost of ["env/beat.yaml", "env/.env.common"]) {
      for (const text of [null, "", "\n"]) {
        await withFiles(FILES, async (directory) => {
          const config = await loadConfig({}, { directory });
          const { reload, declared } = aRunning(
            config,
            ({ written }) => loadConfig({}, { directory, before: written }),
          );
          const { roster } = declared;
          const file = join(directory, lost);
          await (text === null ? rm(file) : writeFile(file, text));
          assert.equal(await reload(), true);
          assert.equal(declared.roster, roster);
          assert.deepEqual(declared.rows.map(({ type }) => type), ["control.reload_refused"]);
          assert.match(JSON.stringify(declared.rows), /got none or an empty one/);
          await writeFile(file, FILES[lost]!);
          assert.equal(await reload(), false, "no task changed");
        });
      }
    }
  });

  it("takes no market's hours from elsewhere where the calendar of one's own is gone", async () => {
    const files = {
      ...yamlTasks("own: { task: check.echo, queue: q, every: 5s, calendar: XNYS }"),
      "own/nyse.json": readProjectFile("env/calendars/XNYS.json").replace("16:00", "15:00"),
    };
    await withFiles(files, async (directory) => {
      const env = { BEAT_CALENDARS: "own" };
      const config = await loadConfig(env, { directory });
      const load = ({ written }: Config) => loadConfig(env, { directory, before: written });
      const { reload, declared } = aRunning(config, load);
      const { roster } = declared;
      await rm(join(directory, "own/nyse.json"));
      await reload();
      assert.equal(declared.roster, roster);
      assert.match(JSON.stringify(declared.rows), /nyse\.json: expected the file that was read/);
      await writeFile(join(directory, "own/nyse.json"), files["own/nyse.json"]);
      assert.equal(await reload(), false, "no task changed");
    });
  });

  it("does not miss a file that said nothing before", async () => {
    await withFiles({ ...FILES, "env/.env.secrets": "" }, async (directory) => {
      const config = await loadConfig({}, { directory });
      const load = ({ written }: Config) => loadConfig({}, { directory, before: written });
      const { reload, declared } = aRunning(config, load);
      assert.equal(await reload(), false);
      await rm(join(directory, "env/.env.secrets"));
      assert.equal(await reload(), false);
      assert.deepEqual(declared.rows, []);
    });
  });

  it("asks for a restart where settings change, and not where they are again those of the start", async () => {
    await withFiles(FILES, async (directory) => {
      const config = await loadConfig({}, { directory });
      const { reload, log } = aRunning(config, () => loadConfig({}, { directory }));
      const asked: number[] = [];
      for (const more of ["BEAT_LOG_LEVEL=debug\n", "BEAT_LOG_LEVEL=debug\n", ""]) {
        await writeFile(join(directory, "env/.env.common"), FILES["env/.env.common"] + more);
        await reload();
        asked.push(log.lines.filter(({ level }) => level === "warn").length);
      }
      assert.deepEqual(asked, [1, 1, 1]);
    });
  });

  it("keeps the old schedule where loading breaks for a defect of ours", async () => {
    await withFiles(FILES, async (directory) => {
      const config = await loadConfig({}, { directory });
      const defect = new TypeError("a defect");
      const { reload, declared, log } = aRunning(config, () => Promise.reject(defect));
      assert.equal(await reload(), true);
      assert.deepEqual(declared.rows.map(({ detail }) => detail), [{ problems: ["a defect"] }]);
      assert.deepEqual(log.lines.map(({ level, fields }) => [level, fields.err]), [[
        "error",
        defect,
      ]]);
    });
  });
});

describe("watchFiles()", () => {
  it("sees a file that changes, also where it is a link to one in a folder that is exchanged", async () => {
    // As Kubernetes mounts a ConfigMap.
    const files = { "..1/beat.yaml": "version: 1", "..2/beat.yaml": "version: 1 # changed" };
    await withFiles(files, async (directory) => {
      const at = (name: string) => join(directory, name);
      await symlink("..1", at("..data"));
      await symlink("..data/beat.yaml", at("beat.yaml"));
      let changes = 0;
      const ended = new AbortController();
      const parts = { clock: systemClock, log: aLog() };
      const watching = watchFiles([at("beat.yaml")], parts, ended.signal, () => void changes++);
      await writeFile(at("other"), "nobody's");
      await symlink("..2", at("..data_tmp"));
      await rename(at("..data_tmp"), at("..data"));
      await until(() => changes === 1);
      await rm(at("beat.yaml"));
      await until(() => changes === 2);
      await writeFile(at("beat.yaml"), "version: 1 # a file");
      await until(() => changes === 3);
      ended.abort();
      await watching;
    });
  });

  it("says so and goes on where the system has no watch left", async () => {
    using _none = stub(Deno, "watchFs", () => {
      throw new Error("Too many open files (os error 24)");
    });
    const [clock, log] = [simClock(T0), aLog()];
    const signal = new AbortController().signal;
    await watchFiles([import.meta.filename!], { clock, log }, signal, () => {});
    assert.deepEqual(log.lines.map(({ level }) => level), ["warn"]);
  });
});
