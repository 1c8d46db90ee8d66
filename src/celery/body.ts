/** A message's arguments as they travel: base64 of the UTF-8 JSON `[args, kwargs, embed]`. */

const EMBED = { callbacks: null, errbacks: null, chain: null, chord: null };

export function bodyOf(
  args: readonly unknown[],
  kwargs: Readonly<Record<string, unknown>>,
): string {
  return new TextEncoder().encode(JSON.stringify([args, kwargs, EMBED])).toBase64();
}

/**
 * The text that a body stands for, or `null` when it is not what `encoding` says.
 * @param encoding `properties.body_encoding`; anything but `base64` is plain text to Kombu
 */
export function bodyText(body: string, encoding: unknown): string | null {
  if (encoding !== "base64") return body;
  try {
    return UTF_8.decode(Uint8Array.fromBase64(body, { lastChunkHandling: "strict" }));
  } catch {
    return null;
  }
}

const UTF_8 = new TextDecoder("utf-8", { fatal: true });
