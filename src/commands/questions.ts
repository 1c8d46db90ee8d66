/** Questions that a program asks on standard input, many at once. */

import { UsageError } from "../errors.ts";

/**
 * @param shape of a question, for people
 * @throws {UsageError} `text` is no JSON array
 */
export function readQuestions(text: string, shape: string): unknown[] {
  let questions: unknown;
  try {
    questions = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`expected a JSON array on standard input: ${reason}`);
  }
  if (Array.isArray(questions)) return questions;
  throw new UsageError(
    `expected a JSON array of ${shape} on standard input, ` +
      `got ${questions === null ? "null" : typeof questions}`,
  );
}

/**
 * Each question says for itself what an option would say of one.
 * @param others what else was given, as it is called on the command line
 * @throws {UsageError} one of them was
 */
export function checkAlone(others: Readonly<Record<string, unknown>>): void {
  const other = Object.keys(others).find((name) => others[name] !== undefined);
  if (other === undefined) return;
  throw new UsageError(
    `expected \`--stdin\` without ${other}, got both; write it into each question`,
  );
}

/** @throws {UsageError} a question that is no object */
export function membersOf(question: unknown): Record<string, unknown> {
  if (question !== null && typeof question === "object") return { ...question };
  throw new UsageError(`expected an object, got ${JSON.stringify(question)}`);
}
