/** What every stream of requests must do; run against memory and against Redis. */

import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import { compareIds, NO_ID } from "../../src/event.ts";
import type { Requests } from "../../src/request.ts";

export function describeRequests(name: string, open: () => Promise<Requests>): void {
  describe(name, () => {
    it("gives back what was appended, in order, after an id and up to a limit", async () => {
      const requests = await open();
      assert.deepEqual(await requests.after(NO_ID, 10), []);
      const ids: string[] = [];
      for (const text of ["one", "two", "three"]) ids.push(await requests.append(text, NO_ID));
      assert.ok(compareIds(ids[0]!, ids[1]!) < 0 && compareIds(ids[1]!, ids[2]!) < 0);
      assert.deepEqual(await requests.after(NO_ID, 2), [
        { id: ids[0], text: "one" },
        { id: ids[1], text: "two" },
      ]);
      assert.deepEqual(await requests.after(ids[1]!, 10), [{ id: ids[2], text: "three" }]);
      assert.deepEqual(await requests.at(ids[1]!), { id: ids[1], text: "two" });
      assert.equal(await requests.at("1-1"), null);
    });

    it("keeps what is needed when it trims", async () => {
      const requests = await open();
      const ids: string[] = [];
      for (let each = 0; each < 500; each++) ids.push(await requests.append(`${each}`, NO_ID));
      await requests.append("last", ids[400]!);
      const left = await requests.after(NO_ID, 1_000);
      assert.ok(left.length <= 301, `${left.length} are left`);
      assert.ok(left.some(({ id }) => id === ids[400]));
      assert.equal(left.at(-1)!.text, "last");
    });
  });
}
