/** The adapter remembers calls, stands in for methods, and steps aside again. */

import { describe, it } from "@std/testing/bdd";
import {
  assertSpyCall,
  assertSpyCalls,
  MockError,
  returnsNext,
  spy,
  stub,
} from "@std/testing/mock";
import assert from "node:assert/strict";

describe("spy()", () => {
  it("remembers what went in and what came out", () => {
    const double = spy((value: number) => value * 2);
    assert.equal(double(21), 42);
    assertSpyCalls(double, 1);
    assertSpyCall(double, 0, { args: [21], returned: 42 });
    assert.throws(() => assertSpyCalls(double, 2));
    assert.throws(() => assertSpyCall(double, 0, { args: [20] }));
    assert.throws(() => assertSpyCall(double, 1));
  });

  it("passes errors on and remembers them", () => {
    const failing = spy(() => {
      throw new Error("no");
    });
    assert.throws(() => failing(), /^Error: no$/);
    assert.equal(failing.calls[0]?.error?.message, "no");
  });
});

describe("stub()", () => {
  it("stands in for a method until it is restored", () => {
    const greeter = { name: "Ada", greet: (whom: string) => `hello ${whom}` };
    {
      using greet = stub(greeter, "greet", () => "silence");
      assert.equal(greeter.greet("Bob"), "silence");
      assertSpyCall(greet, 0, { args: ["Bob"], returned: "silence" });
    }
    assert.equal(greeter.greet("Bob"), "hello Bob");
  });

  it("leaves an inherited method where it was", () => {
    const date = new Date(0);
    const year = stub(date, "getUTCFullYear", () => 2038);
    assert.equal(date.getUTCFullYear(), 2038);
    year.restore();
    assert.equal(date.getUTCFullYear(), 1970);
    assert.ok(!Object.hasOwn(date, "getUTCFullYear"));
    assert.throws(() => year.restore(), MockError);
  });

  it("refuses what is no method", () => {
    assert.throws(() => stub({ size: 1 }, "size"), MockError);
  });
});

describe("returnsNext()", () => {
  it("hands out values and errors in turn, then refuses", () => {
    const next = returnsNext([1, new Error("two")]);
    assert.equal(next(), 1);
    assert.throws(() => next(), /two/);
    assert.throws(() => next(), MockError);
  });
});
