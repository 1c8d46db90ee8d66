/** A share of bad events over HTTP: a query of Prometheus, or a number in a JSON document. */

import { SourceError } from "../errors.ts";
import type { OutsideSource, Share } from "../level.ts";

type HttpSource = Extract<OutsideSource, { readonly kind: "prometheus" | "http" }>;

/** More than this is no answer to such a question. Bytes. */
const BODY_MAX = 1_000_000;

/** Asks once. @throws {SourceError} without any secret of the headers */
export async function readHttp(source: HttpSource, signal: AbortSignal): Promise<Share> {
  try {
    return await shareIn(source, signal);
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    // A server may say again what it was told.
    const { secrets } = source.headers;
    throw new SourceError(
      secrets.reduce((text, each) => text.replaceAll(each, "…"), error.message),
    );
  }
}

async function shareIn(source: HttpSource, signal: AbortSignal): Promise<Share> {
  const body = await fetched(urlOf(source), source.headers, signal);
  if (source.kind === "prometheus") {
    const value = firstValue(body, source.query);
    // None of none: nothing happened, so nothing went wrong.
    const share = value === "NaN" ? null : shareOf(value, source.query);
    return { share, atMs: null };
  }
  const share = shareOf(memberAt(body, source.path), source.path.join("."));
  return { share, atMs: source.at === null ? null : timeOf(memberAt(body, source.at), source.at) };
}

/** Seconds from then on are after 2286; milliseconds up to there are before 1971. */
const SECONDS_BELOW = 1e10;

/** RFC 3339, or Unix time in seconds or milliseconds. */
function timeOf(value: unknown, path: readonly string[]): number {
  const readMs = typeof value === "number"
    ? value < SECONDS_BELOW ? value * 1_000 : value
    : typeof value === "string"
    ? Date.parse(value)
    : NaN;
  if (Number.isFinite(readMs)) return readMs;
  throw new SourceError(
    `expected \`${path.join(".")}\` to be a time, as RFC 3339 or in Unix seconds, got ${
      shown(value)
    }`,
  );
}

/** @throws {SourceError} it is no share: not a number, or not from 0 to 1 */
export function shareOf(value: unknown, what: string): number {
  const isText = typeof value === "string" && value.trim() !== "";
  const share = isText || typeof value === "number" ? Number(value) : NaN;
  if (share >= 0 && share <= 1) return share;
  throw new SourceError(
    `expected \`${what}\` to be the share of bad events, from 0 to 1, got ${shown(value)}`,
  );
}

function urlOf(source: HttpSource): URL {
  if (source.kind === "http") return new URL(source.url);
  const base = new URL(source.url);
  base.pathname = `${base.pathname.replace(/\/$/, "")}/api/v1/query`;
  base.searchParams.set("query", source.query);
  return base;
}

async function fetched(
  url: URL,
  { values }: HttpSource["headers"],
  signal: AbortSignal,
): Promise<unknown> {
  // The query may be long, and a URL may hold what is nobody's business.
  const place = url.origin + url.pathname;
  try {
    const headers = new Headers({ accept: "application/json" });
    for (const [name, value] of Object.entries(values)) headers.set(name, value);
    // What is meant for one server is not carried to another.
    const redirect = Object.keys(values).length === 0 ? "follow" : "manual";
    const response = await fetch(url, { signal, headers, redirect });
    const text = await bodyOf(response, place);
    const read = parsed(text);
    if (!response.ok) throw refused(place, response.status, read);
    if (read === undefined) throw new SourceError(`expected JSON from ${place}, got other text`);
    return read;
  } catch (error) {
    if (error instanceof SourceError) throw error;
    throw new SourceError(`${place} cannot be read: ${whyOf(error)}`);
  }
}

/** What the network says, without the whole URL. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message } = error.cause instanceof Error ? error.cause : error;
  return message.replace(/^error sending request for url \(.*?\): /, "");
}

async function bodyOf(response: Response, place: string): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > BODY_MAX) throw new SourceError(`expected a short answer from ${place}`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** Prometheus says what is wrong with a query. */
function refused(place: string, status: number, body: unknown): SourceError {
  const said = body === undefined ? "" : memberAt(body, ["error"]);
  if (status >= 300 && status < 400) {
    return new SourceError(`${place} answers ${status}: headers are not sent on to another URL`);
  }
  const why = typeof said === "string" && said !== "" ? `: ${said.slice(0, 200)}` : "";
  return new SourceError(`${place} answers ${status}${why}`);
}

function firstValue(body: unknown, query: string): unknown {
  const data = memberAt(body, ["data"]);
  const result = memberAt(data, ["result"]);
  switch (memberAt(data, ["resultType"])) {
    case "scalar":
      return memberAt(result, ["1"]);
    case "vector":
      if (Array.isArray(result) && result.length === 1) return memberAt(result[0], ["value", "1"]);
      throw new SourceError(seriesText(query, Array.isArray(result) ? result.length : 0));
    default:
      throw new SourceError(`expected \`${query}\` to answer with a vector or a scalar`);
  }
}

/** A series that was never counted is not there: with it goes the whole quotient. */
function seriesText(query: string, count: number): string {
  const advice = count === 0
    ? "where nothing counted means no errors, write `(… or vector(0)) / …`"
    : "sum over the others";
  return `expected \`${query}\` to answer with one series, got ${count}: ${advice}`;
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => {
    if (inner === null || typeof inner !== "object" || !Object.hasOwn(inner, key)) return undefined;
    return (inner as Record<string, unknown>)[key];
  }, value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  return (JSON.stringify(value) ?? String(value)).slice(0, 60);
}
