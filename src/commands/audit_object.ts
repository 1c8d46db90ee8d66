/** What an audit found, for programs. Names are stable. */

import type { Report } from "../audit/close.ts";
import { FINDING_KINDS } from "../audit/findings.ts";
import type { Sighting } from "../audit/outside.ts";
import type { Spans } from "../audit/spans.ts";
import type { Tally } from "../audit/tally.ts";
import { ratesOf } from "../audit/tally.ts";
import { dueText, instantText } from "./time_text.ts";

export interface ShownAudit {
  readonly report: Report;
  readonly sighting: Sighting;
  readonly isVerified: boolean;
}

/** Shares that are asked for of every span. */
export const SHARES = [["p50", 0.5], ["p95", 0.95], ["p99", 0.99]] as const;

export function auditObject({ report, sighting, isVerified }: ShownAudit): Record<string, unknown> {
  const { firstId, lastId, rows, isCut, isCovered } = report;
  return {
    since: instantText(report.sinceMs),
    until: instantText(report.untilMs),
    at: instantText(report.nowMs),
    tolerance_ms: report.toleranceMs,
    journal: { rows, first_id: firstId, last_id: lastId, is_cut: isCut, is_covered: isCovered },
    is_verified: isVerified,
    queues: sighting.lists,
    sum: tallyObject(report.sum),
    tasks: [...report.tasks].map(([task, tally]) => ({ task, ...tallyObject(tally) })),
    finding_counts: Object.fromEntries(
      FINDING_KINDS.map((kind) => [kind, report.counts.get(kind) ?? 0]),
    ),
    findings: report.findings.map(({ kind, task, fromMs, toMs, count, times, rowId, text }) => ({
      kind,
      task: task === "" ? null : task,
      due: fromMs === null ? null : dueText(fromMs),
      last_due: toMs === null ? null : dueText(toMs),
      count,
      times: times.map(dueText),
      row_id: rowId,
      text,
    })),
  };
}

function tallyObject(tally: Tally): Record<string, unknown> {
  const rates = ratesOf(tally);
  return {
    planned: tally.planned,
    published: tally.published,
    published_anew: tally.anew,
    published_again_after_loss: tally.redone,
    acked: tally.acked,
    finished: Object.fromEntries(tally.finished),
    expired: Object.fromEntries(tally.expired),
    skipped: Object.fromEntries(tally.skipped),
    waiting: tally.waiting,
    missed: tally.missed,
    duplicate: tally.duplicate,
    late: tally.late,
    early: tally.early,
    orphan: tally.orphan,
    stuck: tally.stuck,
    refused: tally.refused,
    taken: tally.taken,
    overdue: tally.overdue,
    redelivered: tally.redelivered,
    late_acks: tally.lateAcks,
    accuracy: rates.accuracy,
    missed_rate: rates.missed,
    duplicate_rate: rates.duplicate,
    lateness_ms: spansObject(tally.lateness),
    time_to_ack_ms: spansObject(tally.toAck),
  };
}

function spansObject(spans: Spans): Record<string, number | null> {
  return {
    ...Object.fromEntries(SHARES.map(([name, share]) => [name, spans.quantile(share)])),
    max: spans.maxMs,
  };
}
