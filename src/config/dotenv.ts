/** The text of an env file as variables with their lines, in the syntax that python-dotenv reads. */

/** One `NAME=value`. */
export interface Assignment {
  readonly name: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A line that cannot be read. Says what is wrong and never quotes it: it may hold a secret. */
export interface Unreadable {
  readonly line: number;
  readonly message: string;
}

/**
 * Reads comments, `export`, quotes (values in quotes may span lines) and, outside single quotes,
 * `${NAME}` and `${NAME:-otherwise}`.
 *
 * @param valueOf what `${NAME}` stands for where this text has not set it
 */
export function parseDotenv(
  text: string,
  valueOf: (name: string) => string | undefined,
): { assignments: Assignment[]; unreadable: Unreadable[] } {
  const source = text.replace(/^\uFEFF/, "").replaceAll(/\r\n?/g, "\n");
  const assignments: Assignment[] = [];
  const unreadable: Unreadable[] = [];
  const own = new Map<string, string>();
  let position = 0;
  while (position < source.length) {
    const line = lineAt(source, position);
    const read = readStatement(source, position);
    position = read.end;
    if (read.kind === "unreadable") unreadable.push({ line, message: read.message });
    if (read.kind !== "assignment") continue;
    const { name, raw } = read;
    const value = read.isLiteral
      ? raw
      : expand(raw, (wanted) => own.get(wanted) ?? valueOf(wanted));
    own.set(name, value);
    assignments.push({ name, value, line });
  }
  return { assignments, unreadable };
}

type Statement =
  | { kind: "nothing"; end: number }
  | { kind: "unreadable"; end: number; message: string }
  | { kind: "assignment"; end: number; name: string; raw: string; isLiteral: boolean };

const NOTHING = /(?:[ \t]*(?:#[^\n]*)?\n)+|[ \t]*(?:#[^\n]*)?$/y;
const HEAD = /[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=([ \t]*)/y;
const SINGLE = /'((?:\\'|[^'])*)'/y;
const DOUBLE = /"((?:\\[^]|[^"\\])*)"/y;
const AFTER_QUOTE = /[ \t]*(?:#[^\n]*)?(?:\n|$)/y;

function readStatement(source: string, start: number): Statement {
  const nothing = matchAt(NOTHING, source, start);
  if (nothing !== null) return { kind: "nothing", end: start + Math.max(1, nothing[0].length) };
  const endOfLine = source.indexOf("\n", start);
  const end = endOfLine < 0 ? source.length : endOfLine + 1;
  const head = matchAt(HEAD, source, start);
  if (head === null) {
    return { kind: "unreadable", end, message: "expected NAME=value, got something else" };
  }
  const name = head[1]!;
  const from = start + head[0].length;
  const quote = source[from];
  if (quote === "'" || quote === '"') return readQuoted({ source, name, from, end });
  const rest = source.slice(from, end).trimEnd();
  // A `#` right behind the equal sign belongs to the value, as it does inside a word.
  const isOnlyComment = rest.startsWith("#") && head[2] !== "";
  const raw = isOnlyComment ? "" : rest.replace(/\s+#.*$/, "");
  return { kind: "assignment", end, name, raw, isLiteral: false };
}

function readQuoted(
  { source, name, from, end }: { source: string; name: string; from: number; end: number },
): Statement {
  const isLiteral = source[from] === "'";
  const quoted = matchAt(isLiteral ? SINGLE : DOUBLE, source, from);
  if (quoted === null) {
    return { kind: "unreadable", end, message: `expected ${name} to have a closing quote` };
  }
  const after = matchAt(AFTER_QUOTE, source, from + quoted[0].length);
  if (after === null) {
    const message = `expected ${name} to end at its closing quote, got more behind it`;
    return { kind: "unreadable", end, message };
  }
  const raw = isLiteral ? quoted[1]!.replaceAll(/\\([\\'])/g, "$1") : unescape(quoted[1]!);
  return {
    kind: "assignment",
    end: from + quoted[0].length + after[0].length,
    name,
    raw,
    isLiteral,
  };
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

function unescape(text: string): string {
  return text.replaceAll(/\\([^])/g, (whole, escaped: string) => ESCAPES[escaped] ?? whole);
}

function expand(text: string, valueOf: (name: string) => string | undefined): string {
  return text.replaceAll(
    /\$\{([A-Za-z_]\w*)(?::-([^}]*))?\}/g,
    (_whole, name: string, otherwise: string | undefined) => valueOf(name) || (otherwise ?? ""),
  );
}

function matchAt(pattern: RegExp, text: string, position: number): RegExpExecArray | null {
  pattern.lastIndex = position;
  return pattern.exec(text);
}

function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < position; at = text.indexOf("\n", at + 1)) {
    line += 1;
  }
  return line;
}
