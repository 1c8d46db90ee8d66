/** A story on paper: lines for people, one object for programs. */

import { FINE } from "../audit/cause.ts";
import { celeryTaskId } from "../celery/ids.ts";
import type { JournalRow } from "../event.ts";
import { attemptOf, recordedMs, rowOf } from "../event.ts";
import { fireIdOf, isWantedName, openIdOf } from "../fire.ts";
import { harmless, wantedText } from "./row_words.ts";
import type { Shell } from "./shell.ts";
import type { Colour } from "./table.ts";
import { paintFor } from "./table.ts";
import { dueText, instantText } from "./time_text.ts";
import type { Why } from "./why.ts";
import { fourQuestions } from "./why_questions.ts";
import type { Sentence } from "./why_words.ts";
import {
  awaitedText,
  causeText,
  leadingText,
  rowSentence,
  scheduleSentences,
  verdictText,
} from "./why_words.ts";

export function printStory(found: Why, shell: Shell): void {
  const { evidence: { task, dueMs }, story, causes, queue, note } = found;
  const paint = paintFor(shell);
  const asked = note === null ? "" : ` (${note})`;
  shell.out(`${paint("bold", `${task} at ${dueText(dueMs)}`)}${asked}\n`);
  shell.out(`${paint(colourOf(found), verdictText(story))}\n`);
  for (const cause of causes) shell.out(`because ${harmless(causeText(cause, queue))}\n`);
  shell.out("\n");
  const blank = " ".repeat(instantText(0).length);
  for (const { atMs, text } of sentencesOf(found)) {
    shell.out(`${atMs === null ? blank : paint("dim", instantText(atMs))}  ${harmless(text)}\n`);
  }
  const questions = questionsOf(found);
  if (questions.length > 0) shell.out("\n");
  for (const [index, { question, answer, evidence }] of questions.entries()) {
    shell.out(`${index + 1}. ${question}? ${paint("bold", answer)}: ${harmless(evidence)}\n`);
  }
}

function colourOf({ story: { verdict, rows } }: Why): Colour {
  if (verdict === "finished") {
    return rows.some(({ detail }) => detail.outcome === "success") ? "green" : "red";
  }
  if (FINE.has(verdict)) return verdict === "not due" ? "yellow" : "green";
  return verdict === "waiting" || verdict === "held" ? "yellow" : "red";
}

/** For programs. Names are stable, the wording of sentences is not. */
export function storyObject(found: Why): Record<string, unknown> {
  const { evidence, story, causes, queue, namespace, queueName } = found;
  const { task, dueMs } = evidence;
  const published = story.rows.filter(({ type }) => type === "fire.published");
  return {
    task,
    fire_id: fireIdOf(task, dueMs),
    due: dueText(dueMs),
    verdict: story.verdict.replaceAll(" ", "_"),
    summary: verdictText(story),
    causes: causes.map((cause) => ({
      cause: cause.kind.replaceAll(" ", "_"),
      text: causeText(cause, queue),
    })),
    queue: queueName,
    published: story.publishedMs === null ? null : instantText(story.publishedMs),
    lateness_ms: story.publishedMs === null ? null : story.publishedMs - dueMs,
    celery_task_ids: [...new Set(published.map((row) => taskIdOf(row, namespace)))],
    story: sentencesOf(found).map(({ atMs, text }) => ({
      at: atMs === null ? null : instantText(atMs),
      text,
    })),
    questions: questionsOf(found),
    awaited: story.awaited === null ? null : {
      what: story.awaited.what,
      until: instantText(story.awaited.untilMs),
      then: story.awaited.then.replaceAll(" ", "_"),
    },
    before: story.beforeMs === null ? null : dueText(story.beforeMs),
    after: story.afterMs === null ? null : dueText(story.afterMs),
  };
}

function questionsOf({ evidence, story, queue, causes, owners }: Why) {
  return FINE.has(story.verdict) ? [] : fourQuestions({ evidence, story, queue, causes, owners });
}

function sentencesOf(found: Why): Sentence[] {
  const { evidence: { task, dueMs }, story, owners, queueName, namespace } = found;
  const { schedule, leading, rows, publishedMs, awaited, verdict } = story;
  const context = {
    ...{ publishedMs, owners, queue: queueName },
    expiresMs: schedule.kind === "on" ? schedule.declared.expiresMs : null,
    taskIdOf: (row: JournalRow) => taskIdOf(row, namespace),
  };
  const isDue = verdict !== "not due";
  const told = [
    ...(isWantedName(task)
      ? [requestSentence(story.request)]
      : scheduleSentences(schedule, dueMs, isDue)),
    ...(isDue && dueMs <= found.evidence.nowMs
      ? [{ atMs: null, text: leadingText(leading, owners) }]
      : []),
    ...rows.map((row) => rowSentence(row, context)),
    ...story.wanted.map((row) => {
      const { atMs, text } = rowSentence(row, { ...context, publishedMs: null });
      return { atMs, text: `asked for as ${row.task}: ${text}` };
    }),
  ];
  if (awaited !== null) told.push({ atMs: null, text: awaitedText(awaited) });
  if (!isDue || verdict === "to come") told.push({ atMs: null, text: nearestText(story) });
  return told;
}

/** Who asked, and why. */
function requestSentence(request: JournalRow | null): Sentence {
  const told = request === null ? null : rowOf(request, "control.requested");
  if (request === null || told === null) {
    const text = "somebody asked for it; `beat journal --type control` tells who, where it is kept";
    return { atMs: null, text };
  }
  const { kind, who, note, request: id } = told.detail;
  const why = note === "" ? "" : `: ${note}`;
  const what = `${kind} ${id}${wantedText(told.detail)}`;
  return { atMs: recordedMs(request), text: `${who} asked for it (${what})${why}` };
}

function nearestText({ beforeMs, afterMs }: Why["story"]): string {
  const text = (ms: number | null) => ms === null ? "never" : dueText(ms);
  return `due before: ${text(beforeMs)}; due after: ${text(afterMs)}`;
}

function taskIdOf(row: JournalRow, namespace: string): string {
  return celeryTaskId(namespace, openIdOf(row.task, row.dueMs!, attemptOf(row)));
}
