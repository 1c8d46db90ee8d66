/** The figures of an audit, each with what it means: for people and for programs. */

import type { Report } from "../audit/close.ts";
import type { Fared, Figures } from "../audit/figures.ts";
import { ratesOf } from "../audit/tally.ts";
import type { Shell } from "./shell.ts";
import { spanText } from "./time_text.ts";

export function printFigures(figures: Figures, { sum }: Report, shell: Shell): void {
  const { accuracy, missed, duplicate } = ratesOf(sum);
  const { decided, skippedBySession, published, expired, normal, degraded } = figures;
  const lines = [
    ...[...figures.queues].toSorted(([one], [other]) => one < other ? -1 : 1).map(([queue, peak]) =>
      `queue peak, ${queue}: ${peak.withJitter} a second with jitter, ${peak.without} without`
    ),
    "    the most fires published to the queue within one second; without: what jitter held counts when it came to that",
    `task timeout rate: ${percent(expired, published)} (${expired} of ${published})`,
    "    fires that expired, or were given up, before a worker ended them, of all published",
    `off-session fires saved: ${
      percent(skippedBySession, decided)
    } (${skippedBySession} of ${decided})`,
    "    due times that the policy session skipped, of all that were decided",
    `planned-trigger accuracy: ${shareText(accuracy)}`,
    "    fires published within the tolerance, of those published, dropped as late, or missed",
    `missed: ${shareText(missed)}; duplicate: ${shareText(duplicate)}`,
    "    due times without a decision, of all due; fires published twice, of all published",
    `critical tasks: normal ${faredText(normal)}; degraded ${faredText(degraded)}`,
    "    success of the fires seen to end, and the time from due to published (median, 99 %);",
    "    degraded: published while the level of any queue or objective was another than normal",
  ];
  shell.out(`\n${lines.join("\n")}\n`);
}

export function figuresObject(figures: Figures, { sum }: Report): Record<string, unknown> {
  const { decided, skippedBySession, published, expired, normal, degraded } = figures;
  const { accuracy, missed, duplicate } = ratesOf(sum);
  const fared = ({ succeeded, failed, delaysMs }: Fared) => {
    const [p50, p99] = quantiles(delaysMs);
    return { succeeded, failed, fires: delaysMs.length, delay_ms: { p50, p99 } };
  };
  return {
    queue_peaks: Object.fromEntries(
      [...figures.queues].map(([queue, { withJitter, without }]) =>
        [queue, { with_jitter: withJitter, without_jitter: without }] as const
      ),
    ),
    timeout: { expired, published },
    off_session: { saved: skippedBySession, decided },
    ...{ accuracy, missed, duplicate },
    critical: { normal: fared(normal), degraded: fared(degraded) },
  };
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "nothing to count" : shareText(part / whole);
}

function shareText(share: number | null): string {
  return share === null ? "nothing to count" : `${(100 * share).toFixed(2)} %`;
}

function faredText({ succeeded, failed, delaysMs }: Fared): string {
  if (delaysMs.length === 0) return "no fires";
  const [median, high] = quantiles(delaysMs).map((ms) => spanText(ms ?? 0));
  const success = succeeded + failed === 0
    ? "none seen to end"
    : `${percent(succeeded, succeeded + failed)} succeed`;
  return `${delaysMs.length} fires, ${success}, delay ${median}, ${high}`;
}

function quantiles(values: readonly number[]): [median: number | null, high: number | null] {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return [at(0.5) ?? null, at(0.99) ?? null];
}
