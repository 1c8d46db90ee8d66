/**
 * The JSON Schema of `beat.yaml`, for editors, made from the schema that Beat itself checks with.
 * `deno run --allow-write=env src/config/json_schema.ts` writes it anew.
 */

import { writeFileSync } from "node:fs";

import { z } from "zod";

import { BEAT_YAML } from "./schema.ts";

export const SCHEMA_FILE = "env/beat.schema.json";

/** The text of {@link SCHEMA_FILE}. */
export function schemaText(): string {
  const schema = z.toJSONSchema(BEAT_YAML, { io: "input", target: "draft-7" });
  return `${JSON.stringify({ title: "beat.yaml", ...schema }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(SCHEMA_FILE, schemaText());
