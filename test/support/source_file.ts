/** What a source file amounts to for `tidy_test.ts`: its imports, functions, exports and forbidden words. */

import { dirname, join, relative } from "node:path/posix";

/** One file, parsed. */
export interface SourceFile {
  /** From the root of the project, as `src/fire.ts`. */
  readonly path: string;
  readonly text: string;
  readonly lineCount: number;
  readonly imports: readonly Import[];
  readonly functions: readonly FunctionSize[];
  /** Names of the functions, classes and constants that it exports itself. */
  readonly exportedValues: readonly string[];
  readonly defaultExports: readonly number[];
  /** Uses of the clock, timers and chance, as `Date.now`, with their lines. */
  readonly impure: readonly { readonly what: string; readonly line: number }[];
}

/** One import or re-export. */
export interface Import {
  /** A path from the root of the project, or the name of a package. */
  readonly target: string;
  readonly isPackage: boolean;
  readonly isTypeOnly: boolean;
}

export interface FunctionSize {
  readonly line: number;
  readonly lineCount: number;
  /** The body of a `describe`: a list of tests, not a function to read as one. */
  readonly isSuite: boolean;
}

const ROOT = new URL("../../", import.meta.url);

/** Files below `folder`, a path from the root of the project, in order of their names. */
export function filesBelow(folder: string, ending: RegExp): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...filesBelow(path, ending));
    else if (ending.test(name)) found.push(path);
  }
  return found.sort();
}

export function readProjectFile(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}

/** Reads with the parser of `deno lint`, which `deno test` lends. */
export function parseSource(path: string, text: string = readProjectFile(path)): SourceFile {
  const lineOf = (offset: number) => text.slice(0, offset).split("\n").length;
  const imports: Import[] = [];
  const functions: FunctionSize[] = [];
  const exportedValues: string[] = [];
  const defaultExports: number[] = [];
  const impure: { what: string; line: number }[] = [];

  const addImport = (specifier: string, kind: "type" | "value") => {
    const isPackage = !specifier.startsWith(".");
    const target = isPackage ? specifier : relative(".", join(dirname(path), specifier));
    imports.push({ target, isPackage, isTypeOnly: kind === "type" });
  };
  const addFunction = (node: Deno.lint.Node) => {
    const [start, end] = node.range;
    const lineCount = text.slice(start, end).split("\n").length;
    functions.push({ line: lineOf(start), lineCount, isSuite: isSuite(node, text) });
  };
  const addImpure = (what: string, node: Deno.lint.Node) => {
    impure.push({ what, line: lineOf(node.range[0]) });
  };
  const visitor: Deno.lint.LintVisitor = {
    ImportDeclaration: (node) => addImport(node.source.value, node.importKind),
    ExportAllDeclaration: (node) => addImport(node.source.value, "value"),
    ImportExpression: (node) => {
      if (node.source.type === "Literal") addImport(String(node.source.value), "value");
    },
    ExportNamedDeclaration: (node) => {
      if (node.source !== null) addImport(node.source.value, node.exportKind);
      exportedValues.push(...namesOf(node.declaration));
    },
    ExportDefaultDeclaration: (node) => void defaultExports.push(lineOf(node.range[0])),
    FunctionDeclaration: addFunction,
    FunctionExpression: addFunction,
    ArrowFunctionExpression: addFunction,
    MemberExpression: (node) => {
      const what = text.slice(...node.range);
      if (IMPURE_MEMBERS.test(what)) addImpure(what, node);
    },
    CallExpression: (node) => {
      const what = text.slice(...node.callee.range);
      if (TIMERS.test(what)) addImpure(what, node);
    },
    NewExpression: (node) => {
      const what = text.slice(...node.callee.range);
      if (what === "Date" && node.arguments.length === 0) addImpure("new Date()", node);
    },
  };
  runVisitor(path, text, visitor);
  return {
    ...{ path, text, lineCount: text.trimEnd().split("\n").length },
    ...{ imports, functions, exportedValues, defaultExports, impure },
  };
}

function namesOf(declaration: Deno.lint.ExportNamedDeclaration["declaration"]): string[] {
  switch (declaration?.type) {
    case "VariableDeclaration":
      return declaration.declarations.flatMap(({ id }) =>
        id.type === "Identifier" ? [id.name] : []
      );
    case "FunctionDeclaration":
    case "ClassDeclaration":
      return declaration.id === null ? [] : [declaration.id.name];
    default:
      return [];
  }
}

const IMPURE_MEMBERS =
  /^(Date\.now|performance\.\w+|Temporal\.Now|Math\.random|crypto\.(randomUUID|getRandomValues)|AbortSignal\.timeout)$/;
const TIMERS = /^(globalThis\.)?(setTimeout|setInterval|setImmediate)$/;

function isSuite(node: Deno.lint.Node, text: string): boolean {
  const { parent } = node as { parent?: Deno.lint.Node };
  if (parent?.type !== "CallExpression") return false;
  return /\bdescribe(\.\w+)?$|^describe/.test(text.slice(...parent.callee.range));
}

function runVisitor(path: string, text: string, visitor: Deno.lint.LintVisitor): void {
  const plugin: Deno.lint.Plugin = {
    name: "tidy",
    rules: { look: { create: () => visitor } },
  };
  Deno.lint.runPlugin(plugin, path, text);
}
