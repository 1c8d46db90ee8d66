/** Open fires as text. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";
import type { OpenFire } from "../src/open_fire.ts";
import { decodeOpen, encodeOpen, openKey } from "../src/open_fire.ts";
import { anOpenFire } from "./support/build.ts";

const ms = fc.integer({ min: 0, max: 1e13 });
const name = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,40}$/);

describe("encodeOpen() and decodeOpen()", () => {
  it("bring every open fire back", () => {
    fc.assert(fc.property(anyOpen(), (open) => {
      assert.deepEqual(decodeOpen(openKey(open), encodeOpen(open)), open);
    }));
  });

  it("have one spelling for each state, since scripts compare the texts", () => {
    fc.assert(fc.property(anyOpen(), (open) => {
      const text = encodeOpen(open);
      assert.equal(encodeOpen(decodeOpen(openKey(open), text)), text);
    }));
  });

  it("tell any two states apart", () => {
    fc.assert(fc.property(anyOpen(), anyOpen(), (one, other) => {
      const isSame = encodeOpen(one) === encodeOpen(other) && openKey(one) === openKey(other);
      assert.equal(isSame, JSON.stringify(sorted(one)) === JSON.stringify(sorted(other)));
    }));
  });

  it("keep a list whose name has spaces or is empty", () => {
    for (const list of ["two words", " ", "", "a\x06\x163"]) {
      const open = anOpenFire({ list });
      assert.equal(decodeOpen(openKey(open), encodeOpen(open)).list, list);
    }
  });

  it("refuse what is not an open fire", () => {
    const open = anOpenFire();
    const text = encodeOpen(open);
    assert.throws(() => decodeOpen("nonsense", text), /expected an open fire/);
    assert.throws(() => decodeOpen(openKey(open), ""), /expected an open fire/);
    assert.throws(() => decodeOpen(openKey(open), `z${text.slice(1)}`), /expected an open fire/);
  });
});

function anyOpen(): fc.Arbitrary<OpenFire> {
  return fc.record({
    task: name,
    dueMs: ms,
    attempt: fc.nat({ max: 20 }),
    list: fc.string(),
    fence: fc.nat(),
    publishedMs: ms,
    expiresMs: fc.option(ms),
    takeByMs: ms,
    takeWithinMs: ms,
    giveUpMs: ms,
    state: fc.constantFrom("queued", "taken", "acked"),
    isOverdue: fc.boolean(),
    redeliveries: fc.nat({ max: 50 }),
  }, { noNullPrototype: true });
}

function sorted(open: OpenFire): [string, unknown][] {
  return Object.entries(open).sort(([one], [other]) => (one < other ? -1 : 1));
}
