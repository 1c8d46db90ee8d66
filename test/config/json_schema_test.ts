import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "@std/testing/bdd";

import { SCHEMA_FILE, schemaText } from "../../src/config/json_schema.ts";

describe("schemaText()", () => {
  it(`is what ${SCHEMA_FILE} holds (else: deno run --allow-write=env src/config/json_schema.ts)`, () => {
    const file = new URL(`../../${SCHEMA_FILE}`, import.meta.url);
    assert.equal(readFileSync(file, "utf8"), schemaText());
  });

  it("offers every key of a task to editors", () => {
    const text = schemaText();
    for (const key of ["every", "crontab", "catchup", "take_by", "soft_time_limit"]) {
      assert.match(text, new RegExp(`"${key}": \\{`));
    }
    assert.doesNotMatch(text, /"chain"/);
  });
});
