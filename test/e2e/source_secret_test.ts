/** A source that wants a token gets it, and nobody else does: no log, no verb, no key of Redis. */

import { describe } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { beat } from "../support/beat.ts";
import { needs } from "../support/needs.ts";
import { openStage, SEVEN_OFF } from "../support/stage.ts";
import { until } from "../support/until.ts";

const { it } = needs("redis");
const TOKEN = "t0ken-of-the-test";

describe("a source behind a token", () => {
  it("is read with it, and what is printed and stored goes without", async () => {
    let [read, refused] = [0, 0];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      const given = request.headers.get("authorization");
      if (given === `Bearer ${TOKEN}` && ++read <= 3) {
        const result = [{ metric: {}, value: [0, "0.5"] }];
        return Response.json({ data: { resultType: "vector", result } });
      }
      refused++;
      return Response.json({ error: `no: ${given}` }, { status: 403 });
    });
    const stage = await openStage({
      yaml: [
        "objectives:",
        "  api: { target: 99%, every: 1s, source: { prometheus: {",
        `    url: 'http://127.0.0.1:${server.addr.port}', query: errors,`,
        "    headers: { Authorization: 'Bearer ${BEAT_TEST_TOKEN}' } } },",
        "    rules: [{ level: slowed, burn: 6, long: 5s, short: 1s }] }",
        "tasks:",
        "  often: { task: check.echo, queue: maintenance, every: 1, importance: normal, slo: api }",
      ].join("\n"),
      env: { ...SEVEN_OFF, BEAT_TEST_TOKEN: TOKEN, BEAT_LOG_LEVEL: "trace" },
    });
    try {
      const running = stage.beat();
      await running.says("leading");
      await until(() => refused > 0, 20_000);
      const told = "a source does not tell how its objective stands: its level stays";
      await running.says(told);
      const changed = (await stage.journal.read()).filter(({ type }) => type === "level.changed");
      assert.equal(changed[0]?.detail.to, "slowed");
      const looks = await Promise.all(
        [["validate"], ["validate", "--json"], ["doctor", "--json"], ["tasks", "--json"]].map((
          args,
        ) => beat(args, { env: stage.env, cwd: stage.cwd })),
      );
      await running.stop();
      assert.match(running.text(), /answers 403: no: Bearer …/);
      // Else what is dumped may be compressed.
      await stage.client.config("SET", "rdbcompression", "no");
      const keys = await stage.client.keys("*");
      const stored = await Promise.all(keys.map((key) => stage.client.dumpBuffer(key)));
      const all = [running.text(), ...looks.flatMap(({ out, err }) => [out, err])];
      for (const text of [...all, ...stored.map((bytes) => bytes.toString("latin1"))]) {
        assert.ok(!text.includes(TOKEN), text);
      }
    } finally {
      await stage.close();
      await server.shutdown();
    }
  });
});
