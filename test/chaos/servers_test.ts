/** How servers come back whose file is not as they left it. */

import assert from "node:assert/strict";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis_server.ts";
import { appendOnlyFile, comeBack } from "./servers.ts";

const { describe, it } = needs("redis");

describe("comeBack()", () => {
  it("cuts off what Redis cannot read, and says so", async () => {
    const server = await startRedis({ isPersistent: true, fsync: "always" });
    try {
      await server.client().set("kept", "1");
      await server.kill();
      assert.equal(await comeBack(server), false);
      const file = await appendOnlyFile(server);
      await server.kill();
      await Deno.writeTextFile(file, "no command", { append: true });
      assert.equal(await comeBack(server), true);
      assert.equal(await server.client().get("kept"), "1");
    } finally {
      await server.stop();
    }
  });
});
