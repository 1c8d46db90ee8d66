/** Durations as people write them: `15m`, `1h30m`, `500ms`, or a number of seconds as Celery has it. */

const UNITS = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
] as const;

/** The texts that are durations: units from large to small, each at most once, or a bare number. */
export const DURATION = new RegExp(
  `^(?=[\\d.])(?:${
    UNITS.map(([unit]) => `(?:(\\d+(?:\\.\\d+)?)${unit} ?)?`).join("")
  }|(\\d+(?:\\.\\d+)?))$`,
);

/** @returns milliseconds, perhaps fractional; `null` when `value` is no duration */
export function parseDuration(value: string | number): number | null {
  if (typeof value === "number") {
    return Number.isFinite(value) && value >= 0 ? withoutNoise(value * 1000) : null;
  }
  const match = DURATION.exec(value.trim());
  if (match === null) return null;
  const bare = match[UNITS.length + 1];
  if (bare !== undefined) return withoutNoise(Number(bare) * 1000);
  const parts = UNITS.map(([, unitMs], index) => Number(match[index + 1] ?? 0) * unitMs);
  return withoutNoise(parts.reduce((sum, each) => sum + each, 0));
}

/** The shortest exact text: 5,400,000 ms is `1h30m`; fractions stay with the milliseconds. */
export function formatDuration(durationMs: number): string {
  let restMs = durationMs;
  let text = "";
  for (const [unit, unitMs] of UNITS) {
    const count = unit === "ms" ? withoutNoise(restMs) : Math.floor(restMs / unitMs);
    if (count > 0) text += `${count}${unit}`;
    restMs -= count * unitMs;
  }
  return text === "" ? "0s" : text;
}

/** 0.07 s are 70 ms, not 70.00000000000001. */
function withoutNoise(durationMs: number): number {
  return Number(durationMs.toPrecision(15));
}
