import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import {
  decodeAnswer,
  pidboxChannel,
  questionText,
  replyList,
  replyMember,
  workersIn,
} from "../../src/celery/pidbox.ts";
import fixture from "../fixtures/celery/pidbox-active-queues.json" with { type: "json" };

const IDS = {
  oid: "22222222-2222-4222-8222-222222222222",
  ticket: "11111111-1111-4111-8111-111111111111",
  deliveryTag: "t",
};
const ANSWER = JSON.stringify(fixture.reply.envelope);
const ANSWERED = { ...IDS, ticket: fixture.reply.envelope.headers.ticket };

describe("questionText()", () => {
  it("asks as a real client does", () => {
    const question = JSON.parse(questionText("active_queues", IDS, 1_500));
    const body = new TextDecoder().decode(Uint8Array.fromBase64(question.body));
    assert.deepEqual(JSON.parse(body), fixture.request.body_decoded);
    assert.deepEqual(question.headers, { clock: 1, expires: 1.5 });
    assert.equal(question.properties.delivery_info.exchange, "celery.pidbox");
    assert.equal(pidboxChannel(0), fixture.request.channel);
  });

  it("names the list and the binding of its answers", () => {
    assert.equal(replyList(IDS), fixture.reply.list_key.replace("<oid>", IDS.oid));
    const member = fixture.reply_binding.member.replaceAll("<oid>", IDS.oid);
    assert.equal(replyMember(IDS, "\x06\x16"), member);
  });
});

describe("decodeAnswer()", () => {
  it("reads what a real worker answered", () => {
    const [worker, queues] = Object.entries(fixture.reply.body_decoded)[0]!;
    assert.deepEqual(decodeAnswer(ANSWER, ANSWERED), {
      worker,
      queues: queues.map(({ name }) => name),
    });
  });

  it("passes over answers to others, and what is none", () => {
    assert.equal(decodeAnswer(ANSWER, IDS), null);
    for (const text of ["", "{}", "[]", '{"headers":{"ticket":"x"},"body":"e30="}']) {
      assert.equal(decodeAnswer(text, { ...IDS, ticket: "x" }), null);
    }
  });

  it("reads how many tasks a worker runs at a time, of all that it tells", () => {
    const told = (stats: unknown) => {
      const body = btoa(JSON.stringify({ "io@host": stats }));
      const headers = { ticket: IDS.ticket };
      return decodeAnswer(
        JSON.stringify({ body, headers, properties: { body_encoding: "base64" } }),
        IDS,
      );
    };
    const pool = { implementation: "celery.concurrency.prefork:TaskPool", "max-concurrency": 4 };
    assert.deepEqual(told({ pool, pid: 7, total: {} }), { worker: "io@host", hands: 4 });
    for (const stats of [{}, { pool: {} }, { pool: { "max-concurrency": "4" } }, { error: "no" }]) {
      assert.equal(told(stats), null);
    }
  });
});

describe("workersIn()", () => {
  it("joins the answers of a worker, in whatever order they came", () => {
    const answers = [
      { worker: "b@h", hands: 2 },
      { worker: "a@h", queues: ["x"] },
      { worker: "b@h", queues: ["x", "y"] },
      { worker: "c@h", hands: 9 },
    ];
    assert.deepEqual(workersIn(answers), [
      { worker: "a@h", queues: ["x"], hands: null },
      { worker: "b@h", queues: ["x", "y"], hands: 2 },
    ]);
  });
});
