/** Sizes as people write them: `256MB`, `1.5GiB`, or a number of bytes. */

import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const SIZE = /^(\d+(?:\.\d+)?) ?([kmgt]?i?b|)$/i;

/** What was expected of a size. */
const A_SIZE = "a size such as 256MB, 1GiB or a number of bytes";

/** @returns whole bytes; `null` when `value` is no size */
function parseSize(value: string | number): number | null {
  const match = SIZE.exec(String(value).trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? "?"];
  return match === null || unit === undefined ? null : Math.round(Number(match[1]) * unit);
}

/** A size, as bytes. */
export function size({ min }: { min: number }) {
  return z.union([z.number(), z.string().regex(SIZE, { error: A_SIZE })], { error: A_SIZE })
    .transform((value, context) => {
      const bytes = parseSize(value);
      if (bytes !== null && bytes >= min) return bytes;
      context.addIssue({ code: "custom", message: `a size of at least ${min} bytes` });
      return z.NEVER;
    });
}
