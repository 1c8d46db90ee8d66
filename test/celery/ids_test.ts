/** The ids of messages: known UUIDs, and ids that must stay what they are for ever. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import fc from "fast-check";
import { celeryTaskId, deliveryTag, uuid5 } from "../../src/celery/ids.ts";
import { openIdOf } from "../../src/fire.ts";

const DNS = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

describe("uuid5()", () => {
  it("makes the UUIDs that others make", () => {
    assert.equal(uuid5(DNS, "python.org"), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    assert.equal(uuid5(DNS, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  });

  it("is a UUID of version 5 for any name", () => {
    const form = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
    fc.assert(fc.property(fc.string({ unit: "grapheme" }), (name) => form.test(uuid5(DNS, name))));
  });
});

describe("celeryTaskId()", () => {
  const first = openIdOf("report", 1767225600000, 0);

  it("never changes for a fire that is already out", () => {
    assert.equal(celeryTaskId("beat", first), "1369e5a0-a575-5b69-bc28-9dab7206c1bc");
    assert.equal(celeryTaskId("beat", first), celeryTaskId("beat", first));
  });

  it("differs between namespaces, fires and attempts", () => {
    const ids = [
      celeryTaskId("beat", first),
      celeryTaskId("staging", first),
      celeryTaskId("beat", openIdOf("report", 1767225600001, 0)),
      celeryTaskId("beat", openIdOf("reports", 1767225600000, 0)),
      celeryTaskId("beat", openIdOf("report", 1767225600000, 1)),
      celeryTaskId("beat", openIdOf("report", 1767225600000, 2)),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });
});

describe("deliveryTag()", () => {
  it("differs between terms", () => {
    assert.equal(deliveryTag("a-b", 7), "a-b.7");
    assert.notEqual(deliveryTag("a-b", 7), deliveryTag("a-b", 8));
  });
});
