/** What `beat doctor` says of the journal's memory: how far back it reaches, and where rows go then. Pure. */

import type { JournalSettings } from "../settings.ts";
import type { JournalSize } from "../redis/server_facts.ts";
import type { Check } from "./doctor_server.ts";
import { bytesText, fine, RATE_MIN_MS, warning } from "./doctor_server.ts";
import { spanText } from "./time_text.ts";

const DAY_MS = 86_400_000;

/** Beyond this share of a limit Beat has not been able to cut anything off for a while. */
const OVER = 1.2;

/** At the present rate: rows and bytes a day, and how many days Redis holds of them. */
export function journalCheck(
  { rows, bytes, firstMs, lastMs }: JournalSize,
  { keepMs, maxBytes }: JournalSettings,
  nowMs: number,
): Check {
  if (firstMs === null || lastMs === null) return fine("journal", "empty");
  const reach = `${rows} rows back to ${spanText(Math.max(0, nowMs - firstMs))} ago in Redis`;
  const spanMs = lastMs - firstMs;
  const rates: string[] = [];
  if (spanMs >= RATE_MIN_MS) {
    rates.push(`${Math.round(rows * DAY_MS / spanMs)} rows a day`);
    if (bytes !== null && bytes > 0) {
      rates.push(`${bytesText(bytes * DAY_MS / spanMs)} a day`);
      const lastsMs = Math.min(keepMs, maxBytes * spanMs / bytes);
      rates.push(
        `${spanText(lastsMs)} of it fit (keep ${spanText(keepMs)}, ${bytesText(maxBytes)})`,
      );
    }
  }
  const text = [reach, ...rates].join(", ");
  const isOver = (bytes ?? 0) > OVER * maxBytes || nowMs - firstMs > OVER * keepMs;
  return isOver
    ? warning("journal", `${text}; it is over its limits`, OVER_ADVICE)
    : fine("journal", text);
}

const OVER_ADVICE = "see the archive below, the leader's log, and fires that are open for long " +
  "(their rows are not cut off)";

/**
 * @param archived what is in it, or why that cannot be told
 * @param known.problem why nothing can be written to it; `null` where it can
 * @param known.goneRows rows that left Redis
 */
export function archiveCheck(
  directory: string,
  archived: { readonly segments: number; readonly rows: number } | string,
  { problem, goneRows }: { readonly problem: string | null; readonly goneRows: number },
): Check {
  if (typeof archived === "string") {
    return warning("archive", archived, "audits and why see only what is in Redis until then");
  }
  const { segments, rows } = archived;
  const text = `${directory}: ${rows} rows in ${segments} ${segments === 1 ? "file" : "files"}`;
  if (rows === 0 && goneRows > 0) {
    return warning(
      "archive",
      `${text}, and ${goneRows} rows left Redis`,
      "audits and why see only what is in Redis: BEAT_ARCHIVE should name the directory that the " +
        "leader writes to, from here as well",
    );
  }
  if (problem === null) return fine("archive", text);
  return warning(
    "archive",
    `${text}; this process may not write there: ${problem}`,
    "where the leader may not either, old rows stay in Redis: see BEAT_ARCHIVE and --allow-write",
  );
}
