/** What a worker dies of or discards is refused: each defect as it was seen with a real worker. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { bodyOf } from "../../src/celery/body.ts";
import { checkMessage } from "../../src/celery/check_message.ts";
import { MessageError } from "../../src/errors.ts";

interface Sample {
  [name: string]: unknown;
  headers: Record<string, unknown>;
  properties: Record<string, unknown> & { delivery_info: Record<string, unknown> };
}

function full(): Sample {
  const id = "1e173dff-641f-4eb1-9391-686ab6d13a54";
  return {
    body: bodyOf(["m"], {}),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: {
      ...{ lang: "js", task: "check.echo", id, root_id: id, parent_id: null, group: null },
      ...{ retries: 0, eta: null, expires: null, timelimit: [null, null], shadow: null },
      ...{ argsrepr: "()", kwargsrepr: "{}", origin: "beat@host", ignore_result: false },
    },
    properties: {
      ...{ correlation_id: id, reply_to: "", delivery_mode: 2, priority: 0 },
      ...{ body_encoding: "base64", delivery_tag: `${id}.1` },
      delivery_info: { exchange: "", routing_key: "q" },
    },
  };
}

const base64 = (value: unknown) => btoa(JSON.stringify(value));

/** The defects that do not read "no …", by the name that they have in the matrix. */
const DEFECT: Record<string, (sample: Sample) => unknown> = {
  "full": () => {},
  "MINIMAL (task,id; delivery_tag,body_encoding,delivery_info)": (sample) => {
    const { task, id } = sample.headers;
    const { delivery_tag, body_encoding, delivery_info } = sample.properties;
    sample.headers = { task, id };
    sample.properties = { delivery_tag, body_encoding, delivery_info };
    sample["body"] = base64([["m"], {}, {}]);
  },
  "MINIMAL plain-text body, embed {}": (sample) => {
    delete sample.properties["body_encoding"];
    sample["body"] = JSON.stringify([["m"], {}, {}]);
  },
  "embed null": (sample) => sample["body"] = base64([["m"], {}, null]),
  "embed {}": (sample) => sample["body"] = base64([["m"], {}, {}]),
  "body 2-element": (sample) => sample["body"] = base64([["m"], {}]),
  "kwargs null": (sample) => sample["body"] = base64([["m"], null, {}]),
  "args null": (sample) => sample["body"] = base64([null, {}, {}]),
  "body not base64": (sample) => sample["body"] = "%%%",
  "body base64 of non-JSON": (sample) => sample["body"] = btoa("{not json"),
  "body plain JSON but body_encoding base64": (sample) => sample["body"] = '[["m"],{},{}]',
  "content-type pickle": (sample) => sample["content-type"] = "application/x-python-serialize",
  "content-type unknown": (sample) => sample["content-type"] = "application/x-foo",
  'expires ""': (sample) => sample.headers["expires"] = "",
  'eta ""': (sample) => sample.headers["eta"] = "",
  "eta junk": (sample) => sample.headers["eta"] = "soon",
  "expires number": (sample) => sample.headers["expires"] = 4102444800,
  "retries null": (sample) => sample.headers["retries"] = null,
  "timelimit null": (sample) => sample.headers["timelimit"] = null,
  "timelimit [0,0]": (sample) => sample.headers["timelimit"] = [0, 0],
  "priority null": (sample) => sample.properties["priority"] = null,
  "numeric id": (sample) => sample.headers["id"] = 17,
  "headers null": (sample) => (sample as Record<string, unknown>)["headers"] = null,
};

const ELEMENT: Record<string, string> = {
  "LIST ELEMENT not JSON": "garbage",
  "LIST ELEMENT JSON array": "[1,2]",
  "LIST ELEMENT empty object": "{}",
};

function elementOf(name: string): string {
  if (ELEMENT[name] !== undefined) return ELEMENT[name];
  const sample = full();
  const removed = /^no (?:(headers|properties|delivery_info)\.)?(\S+)$/.exec(name);
  if (removed === null) {
    const defect = DEFECT[name];
    assert.ok(defect, `the matrix has a case that this test does not know: ${name}`);
    defect(sample);
  } else {
    const [, within, member] = removed;
    const holder: Record<string, unknown> = within === undefined
      ? sample
      : within === "delivery_info"
      ? sample.properties.delivery_info
      : sample[within] as Record<string, unknown>;
    delete holder[member!];
  }
  return JSON.stringify(sample);
}

const { results } = JSON.parse(
  Deno.readTextFileSync(
    new URL("../fixtures/celery/minimum-envelope-matrix.json", import.meta.url),
  ),
) as { results: Record<string, { outcome: string }> };

describe("checkMessage() on the defects tried on a real worker", () => {
  for (const [name, { outcome }] of Object.entries(results)) {
    if (outcome === "EXECUTED") {
      it(`accepts what ran: ${name}`, () => checkMessage(elementOf(name)));
    } else {
      it(`refuses what came out as "${outcome}": ${name}`, () => {
        assert.throws(() => checkMessage(elementOf(name)), MessageError);
      });
    }
  }
});

describe("checkMessage()", () => {
  const withExpires = (expires: unknown) => {
    const sample = full();
    sample.headers["expires"] = expires;
    return JSON.stringify(sample);
  };

  it("accepts the times that every version of Celery reads alike", () => {
    for (const time of ["2026-11-24T18:51:45.971398+00:00", "2026-11-25T02:54:58.022786+08:00"]) {
      checkMessage(withExpires(time));
    }
  });

  it("refuses times that some versions misread or discard", () => {
    const times = [
      "2026-11-24T18:51:45.900Z",
      "2026-11-24T18:51:45Z",
      "2026-11-24T18:51:45.971398",
      "2026-11-24T18:51:45.971398123+00:00",
      "2026-11-24T18:51:45.971398+0000",
      "2026-13-24T18:51:45.971398+00:00",
      "2026-11-24T25:51:45.971398+00:00",
      "2026-11-24T24:00:00.000000+00:00",
      "2026-02-30T00:00:00.000000+00:00",
      "2026-11-24T18:51:45.971398+99:00",
      "+010000-01-01T00:00:00.000000+00:00",
      "tomorrow",
      " ",
      true,
    ];
    for (const time of times) {
      assert.throws(() => checkMessage(withExpires(time)), MessageError, String(time));
    }
  });

  it("refuses a named exchange, where the message would vanish", () => {
    const sample = full();
    sample.properties.delivery_info["exchange"] = "ex1";
    assert.throws(() => checkMessage(JSON.stringify(sample)), /exchange.*"ex1"/);
  });

  it("says what is wrong and what was wanted", () => {
    assert.throws(
      () => checkMessage(withExpires("")),
      /expected headers\.expires of the message to be null or a time.*got ""/,
    );
  });

  it("throws nothing but its own error whatever comes", () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      assert.throws(() => checkMessage(text), MessageError);
    }));
  });
});
