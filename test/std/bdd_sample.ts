/** What `bdd_test.ts` runs in a process of its own, because one of its tests must fail. */

import { after, afterEach, before, beforeEach, describe, it } from "@std/testing/bdd";

const seen: string[] = [];

describe("outer", () => {
  before(() => void seen.push("before"));
  beforeEach(() => void seen.push("beforeEach"));
  afterEach(() => void seen.push("afterEach"));
  after(() => console.log(`order: ${seen.join(" ")}`));

  it("waits", async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push("waits");
  });
  it("breaks", () => {
    seen.push("breaks");
    throw new Error("on purpose");
  });
  it.skip("skips", () => void seen.push("skips"));
  it.ignore("ignores", () => void seen.push("ignores"));
  it({ name: "ignored by option", ignore: true, fn: () => void seen.push("option") });

  describe("inner", () => {
    beforeEach(() => void seen.push("innerBeforeEach"));
    it("nests", { sanitizeOps: false }, () => void seen.push("nests"));
  });

  describe({ name: "ignored suite", ignore: true }, () => {
    it("never runs", () => void seen.push("never"));
  });
});

describe({
  name: "by definition",
  beforeAll: () => console.log("beforeAll by definition"),
  fn: () => it({ name: "takes an object", fn: () => console.log("took an object") }),
});
