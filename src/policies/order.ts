/** Which policies a task has, in the order in which they are asked. */

import type { Task } from "../task.ts";
import { jitter } from "./jitter.ts";
import type { Policy } from "./mod.ts";
import { overlap } from "./overlap.ts";
import { pause } from "./pause.ts";
import { session, sessionChange } from "./session.ts";
import { pressure } from "./pressure.ts";
import { slo } from "./slo.ts";
import { openingsOf, window } from "./window.ts";

/**
 * Each place has its reason:
 *
 * 1. pause: an order of a person stands over everything.
 * 2. session: what it refuses is over for good, so nothing else need be asked, and nothing waits for
 *    hours only to be refused.
 * 3. window, then jitter: both wait for a time that is known beforehand. The window first, because
 *    what it lets go at its start is spread by the jitter from there.
 * 4. overlap: waits for an earlier fire, so it is asked when the time has come, not hours before.
 * 5. slo, pressure: what was measured, last, so that it is as fresh as can be when a fire goes out.
 */
export function policiesOf(task: Task): Policy[] {
  const { policies: specs } = task;
  const policies: Policy[] = [pause()];
  if (specs.session !== null) policies.push(session(specs.session));
  const openings = specs.window === null ? null : openingsOf(specs.window);
  if (specs.window !== null && openings !== null) policies.push(window(specs.window, openings));
  if (specs.jitter !== null) {
    const changeMs = specs.session === null ? null : sessionChange(specs.session);
    policies.push(jitter(specs.jitter, { openings, changeMs }));
  }
  if (specs.overlap !== "allow") policies.push(overlap(specs.overlap));
  if (specs.slo !== null) policies.push(slo(specs.slo, openings));
  if (specs.pressure !== null) policies.push(pressure(specs.pressure, task, openings));
  return policies;
}
