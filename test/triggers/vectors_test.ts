/** The cases of other schedulers' test suites: where all agree, and where the rule of Beat decides. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { TriggerError } from "../../src/errors.ts";
import type { TriggerSpec } from "../../src/task.ts";
import { triggerOf } from "../../src/triggers/mod.ts";
import agreed from "../vectors/cron.json" with { type: "json" };
import disputed from "../vectors/cron-dst.json" with { type: "json" };

interface Vector {
  id: string;
  area: string;
  dialect: string;
  expression: string;
  tz: string;
  start: string;
  /** Instants, `error` (to be refused) or `none` (to be refused, or never due). */
  expect: string[] | string;
}

const files: Record<string, Vector[]> = { agreed: agreed.vectors, disputed: disputed.vectors };

for (const [name, vectors] of Object.entries(files)) {
  const areas = Map.groupBy(vectors, ({ area, dialect }) => `${dialect}, ${area}`);
  describe(`triggerOf() on the ${name} vectors`, () => {
    for (const [area, cases] of areas) {
      it(`answers the ${cases.length} of ${area}`, () => cases.forEach(checkVector));
    }
  });
}

function checkVector(vector: Vector): void {
  const { id, expression, tz, start, expect } = vector;
  const label = `${id}: ${expression} in ${tz} after ${start}`;
  if (expect === "error") {
    assert.throws(() => triggerOf(specOf(vector)), TriggerError, label);
    return;
  }
  if (expect === "none") {
    assert.throws(() => triggerOf(specOf(vector)), /expected a date that comes/, label);
    return;
  }
  assert.ok(Array.isArray(expect) && expect.length > 0, label);
  const trigger = triggerOf(specOf(vector));
  let atMs = Date.parse(start);
  for (const instant of expect) {
    atMs = trigger.next(atMs) ?? assert.fail(`${label}: never due`);
    assert.equal(atMs, Date.parse(instant), label);
  }
}

/** Celery's vectors have its fields in cron's order. */
function specOf({ dialect, expression, tz }: Vector): TriggerSpec {
  if (dialect === "cron") return { kind: "cron", expression, tz };
  const [minute, hour, dayOfMonth, monthOfYear, dayOfWeek, ...rest] = expression.split(" ");
  assert.equal(rest.length, 0, expression);
  return {
    kind: "crontab",
    minute: minute!,
    hour: hour!,
    dayOfMonth: dayOfMonth!,
    monthOfYear: monthOfYear!,
    dayOfWeek: dayOfWeek!,
    tz,
  };
}
