/**
 * Arguments as Celery's own clients print them for logs and events (`celery.utils.saferepr`):
 * Python's notation, nested three levels deep, cut at 1024 characters.
 */

const LENGTH_MAX = 1024;
const LEVEL_MAX = 3;

/** What a text is made of. Only the end of a container is still printed after the cut. */
type Token = { readonly kind: "literal" | "number" | "text" | "end"; readonly value: string };

/** @param value JSON: text, number, boolean, `null`, array or object */
export function pythonRepr(value: unknown): string {
  let printed = "";
  let left = LENGTH_MAX;
  let isCut = false;
  for (const token of tokensOf(value, 0)) {
    if (left <= 0 && !isCut) {
      isCut = true;
      printed += ", ...";
    }
    if (isCut) {
      if (token.kind === "end") printed += token.value;
      continue;
    }
    const text = printToken(token, left);
    printed += text;
    left -= lengthOf(text);
  }
  return printed;
}

function* tokensOf(value: unknown, level: number): Generator<Token> {
  if (typeof value === "string") {
    yield { kind: "text", value };
  } else if (typeof value === "number") {
    yield { kind: "number", value: pythonNumber(value) };
  } else if (value === null || typeof value !== "object") {
    yield { kind: "number", value: value === true ? "True" : value === false ? "False" : "None" };
  } else if (level >= LEVEL_MAX) {
    yield { kind: "number", value: Array.isArray(value) ? "[...]" : "{...}" };
  } else if (Array.isArray(value)) {
    yield { kind: "literal", value: "[" };
    for (const [index, item] of value.entries()) {
      if (index > 0) yield { kind: "literal", value: ", " };
      yield* tokensOf(item, level + 1);
    }
    yield { kind: "end", value: "]" };
  } else {
    yield { kind: "literal", value: "{" };
    for (const [index, [key, item]] of Object.entries(value).entries()) {
      if (index > 0) yield { kind: "literal", value: ", " };
      yield { kind: "text", value: key };
      yield { kind: "literal", value: ": " };
      yield* tokensOf(item, level + 1);
    }
    yield { kind: "end", value: "}" };
  }
}

function printToken({ kind, value }: Token, left: number): string {
  if (kind === "text") return `'${truncate(value, left).replaceAll("'", "\\'")}'`;
  return kind === "number" ? truncate(value, left) : value;
}

/** Cut at the last space before the limit, as Celery does. */
function truncate(text: string, limit: number): string {
  if (lengthOf(text) < limit) return text;
  const head = [...text].slice(0, limit).join("");
  const space = head.lastIndexOf(" ");
  return (space < 0 ? head : head.slice(0, space)) + "...";
}

/** Python counts code points. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** Python turns to exponents below 1e-4, JavaScript below 1e-6; and Python writes two digits of it. */
function pythonNumber(value: number): string {
  const text = Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential() : String(value);
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}
