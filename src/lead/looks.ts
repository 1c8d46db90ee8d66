/** How often a replica looks by itself: for a chance to lead, how far the journal is, what became of fires. */

/** Times between two looks. Milliseconds. */
export interface Looks {
  /** A standby asks for the lease: a clean handover is taken up within this. */
  readonly standbyMs: number;
  /** A replica looks how far the journal is, and whether rows are gone. */
  readonly journalMs: number;
  /** The leader looks at open fires. */
  readonly sampleMs: number;
  /** At the most, it looks at those of which something was heard. */
  readonly glanceMs: number;
  /** The leader looks for what people ask. */
  readonly requestsMs: number;
}

/** What every replica keeps to. Only a simulation of hours sets others: most of its events are looks. */
export const LOOKS: Looks = {
  standbyMs: 50,
  journalMs: 500,
  sampleMs: 1_000,
  glanceMs: 100,
  requestsMs: 250,
};

/** Tasks are mostly due at whole seconds; a look between them keeps none of those waiting. Milliseconds. */
export function untilSample({ sampleMs }: Looks, nowMs: number): number {
  const pastHalfMs = (nowMs + 500) % 1_000;
  return sampleMs < 1_000
    ? sampleMs
    : sampleMs - (pastHalfMs < 500 ? pastHalfMs : pastHalfMs - 1_000);
}
