/** What an audit found: named one by one up to a bound, counted beyond it. */

/** What can be wrong. */
export type FindingKind =
  /** Due, and nothing in the journal says why not. */
  | "missed"
  /** Published again, or recorded again. */
  | "duplicate"
  /** Published or recorded later than the tolerance. */
  | "late"
  /** Published before it was due. */
  | "early"
  /** A row without a due time or without a publish; a message without a row. */
  | "orphan"
  /** Open beyond its times, and no row says so. */
  | "stuck"
  /** A row that may not follow what came before it, or that is none. */
  | "refused"
  /** History was lost or cut: what was recorded there cannot be audited. */
  | "history"
  /** The journal and what Beat runs by do not agree. */
  | "differs";

export const FINDING_KINDS: readonly FindingKind[] = [
  ...["missed", "duplicate", "late", "early", "orphan"] as const,
  ...["stuck", "refused", "history", "differs"] as const,
];

export interface Finding {
  readonly kind: FindingKind;
  /** Empty where it is about no task. */
  readonly task: string;
  /** Due time, or of several the first; `null` where it is about none. Unix milliseconds. */
  readonly fromMs: number | null;
  /** The last of several due times. */
  readonly toMs: number | null;
  /** How many due times or rows it stands for. */
  readonly count: number;
  /** The first of several due times, a bounded number of them. */
  readonly times: readonly number[];
  /** The row that shows it; `null` where none does. */
  readonly rowId: string | null;
  /** What is the matter, in words. */
  readonly text: string;
}

/** Findings of each kind that are named. */
export const NAMED_MAX = 1_000;

export interface Findings {
  add(finding: Finding): void;
  /** In the order of {@link FINDING_KINDS}, each kind in the order in which they were found. */
  named(): Finding[];
  /** Of each kind, the named ones and the others. */
  readonly counts: ReadonlyMap<FindingKind, number>;
}

export function findingsOf(): Findings {
  const byKind = new Map<FindingKind, Finding[]>();
  const counts = new Map<FindingKind, number>();
  return {
    counts,
    add(finding) {
      const { kind } = finding;
      counts.set(kind, (counts.get(kind) ?? 0) + finding.count);
      const named = byKind.get(kind);
      if (named === undefined) byKind.set(kind, [finding]);
      else if (named.length < NAMED_MAX) named.push(finding);
    },
    named: () => FINDING_KINDS.flatMap((kind) => byKind.get(kind) ?? []),
  };
}
