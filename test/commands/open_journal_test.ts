import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { openJournal } from "../../src/commands/open_journal.ts";
import { JournalUnavailableError } from "../../src/errors.ts";
import { startFakeRedis } from "../support/fake_redis.ts";
import { until } from "../support/until.ts";

describe("openJournal()", () => {
  it("leaves no connection where the server refuses a question", async () => {
    const server = await startFakeRedis(([name, section]) =>
      name === "INFO" && section === "replication" ? "-BUSY a script runs\r\n" : null
    );
    const env = { CELERY_BROKER_URL: `redis://127.0.0.1:${server.port}/0` };
    await assert.rejects(openJournal({ env, err: () => {} }), JournalUnavailableError);
    await until(() => server.standing() === 0);
    await server.stop();
  });
});
