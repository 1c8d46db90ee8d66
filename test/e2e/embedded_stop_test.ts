/** A Beat that is stopped while the Redis of its own has not answered yet. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { follow, inherited } from "../support/running_beat.ts";
import { until } from "../support/until.ts";

const PROJECT = new URL("../../deno.json", import.meta.url).pathname;
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

describe("Beat that is starting a Redis of its own", () => {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    it(`ends by ${signal} with ${code} and no error, and the Redis with it`, async () => {
      const cwd = await Deno.makeTempDir({ prefix: "embedded-stop-test-" });
      try {
        const program = `${cwd}/redis-server`;
        const script = `#!/bin/sh\necho $$ > ${cwd}/pid\nexec sleep 60\n`;
        await Deno.writeTextFile(program, script, { mode: 0o755 });
        const PATH = `${cwd}:${inherited().PATH}`;
        const permissions = ["--no-prompt", "--config", PROJECT, "-P=beat", "--allow-write=.beat"];
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-q", ...permissions, MAIN, "dev"],
          ...{ cwd, env: { ...inherited(), PATH }, clearEnv: true, stderr: "piped" },
        }).spawn();
        const beat = follow(child);
        try {
          await until(() => Deno.readTextFileSync(`${cwd}/pid`) !== "");
        } catch (error) {
          await beat.kill();
          throw error;
        }
        beat.signal(signal);
        assert.equal(await beat.ended, code, beat.text());
        assert.equal(beat.text(), "");
        const pid = Number(Deno.readTextFileSync(`${cwd}/pid`));
        assert.throws(() => Deno.kill(pid, "SIGCONT"));
      } finally {
        await Deno.remove(cwd, { recursive: true });
      }
    });
  }
});
