/** Headers of sources: secrets come from variables, and no message has one. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { loadFiles, loadFine } from "../support/load_files.ts";

const SECRET = "s3cr3t-of-mine";

/** @param headers as they are written */
function yaml(headers: string, kind = "prometheus", rest = "query: errors") {
  return {
    "env/beat.yaml": [
      ...["version: 1", "objectives:", "  api:", "    target: 99%", "    source:"],
      ...[`      ${kind}:`, "        url: http://p:9090", `        ${rest}`],
      `        headers: ${headers}`,
    ].join("\n"),
  };
}

const AT = "env/beat.yaml:9: ";
const NAME = "objectives.api.source.prometheus.headers";

describe("headers of a source", () => {
  const BEARER = "{ Authorization: 'Bearer ${BEAT_TOKEN}', X-Scope-OrgID: team-a }";

  it("take what variables hold, of Prometheus and of a document", async () => {
    for (const [kind, rest] of [["prometheus", "query: errors"], ["http", "path: a"]] as const) {
      const { levels } = await loadFine(yaml(BEARER, kind, rest), { BEAT_TOKEN: ` ${SECRET}\n` });
      const { source } = levels.objectives[0]!;
      assert.ok(source.kind === kind);
      assert.deepEqual(source.headers, {
        values: { Authorization: `Bearer ${SECRET}`, "X-Scope-OrgID": "team-a" },
        secrets: [SECRET],
      });
    }
  });

  it("take them from env files, too", async () => {
    const files = { ...yaml(BEARER), "env/.env.secrets": `BEAT_TOKEN=${SECRET}\n` };
    const { levels } = await loadFine(files);
    const { source } = levels.objectives[0]!;
    assert.ok(source.kind === "prometheus");
    assert.equal(source.headers.values["Authorization"], `Bearer ${SECRET}`);
  });

  it("need no hint that their variable is read by nobody", async () => {
    const env = { BEAT_ARCHIV: SECRET };
    const { hints } = await loadFine(yaml("{ X-Key: '${BEAT_ARCHIV}' }"), env);
    assert.deepEqual(hints.filter((hint) => hint.includes("BEAT_ARCHIV")), []);
  });

  const got = "got something else (not shown)";
  for (
    const [what, headers, expected] of [
      [
        "a variable that is not set",
        "{ Authorization: 'Bearer ${BEAT_NO}' }",
        `expected BEAT_NO, which \`${NAME}.Authorization\` names, to be a line of ASCII, ` +
        "got nothing: set it, or put it into an env file",
      ],
      [
        "a variable that holds two lines",
        "{ Authorization: '${BEAT_TWO}' }",
        `expected BEAT_TWO, which \`${NAME}.Authorization\` names, to be a line of ASCII, ${got}`,
      ],
      [
        "a secret in the file",
        `{ authorization: 'Bearer ${SECRET}' }`,
        `expected \`${NAME}.authorization\` to take its secret from a variable ` +
        "(Bearer ${BEAT_PROMETHEUS_TOKEN}), got it in the file",
      ],
      [
        "a key in the file",
        `{ X-Api-Key: ${SECRET} }`,
        `expected \`${NAME}.X-Api-Key\` to take its secret from a variable ` +
        "(Bearer ${BEAT_PROMETHEUS_TOKEN}), got it in the file",
      ],
      [
        "a variable that Beat may not see",
        "{ Authorization: 'Bearer ${PROM_TOKEN}' }",
        `expected \`${NAME}.Authorization\` to name variables that begin with BEAT_ ` +
        "(${BEAT_PROMETHEUS_TOKEN}), got PROM_TOKEN",
      ],
      [
        "a place without an end",
        `{ Authorization: '${SECRET} \${BEAT_TOKEN' }`,
        `expected \`${NAME}.Authorization\` to be one line of text such as Bearer ` +
        "${BEAT_PROMETHEUS_TOKEN}, " + got,
      ],
      [
        "no text",
        "{ Authorization: 12345 }",
        `expected \`${NAME}.Authorization\` to be text such as Bearer ` +
        "${BEAT_PROMETHEUS_TOKEN}, " + got,
      ],
      [
        "no name",
        `{ 'Bad Name': '${SECRET}' }`,
        `expected the name of \`${NAME}.Bad Name\` to be the name of a header, ${got}`,
      ],
    ] as const
  ) {
    it(`are refused for ${what}, and it is not shown`, async () => {
      const env = { BEAT_TWO: `${SECRET}\n${SECRET}`, BEAT_TOKEN: SECRET };
      const { problems, text } = await loadFiles(yaml(headers), env);
      assert.deepEqual(problems, [AT + expected]);
      assert.ok(!text.includes(SECRET) && !text.includes("12345"), text);
    });
  }

  it("are the place of a password, which no URL may have", async () => {
    for (const user of ["me:s3cr3t", "s3cr3t"]) {
      const files = yaml("{}");
      const odd = files["env/beat.yaml"].replace("http://p", `http://${user}@p`);
      const { problems } = await loadFiles({ "env/beat.yaml": odd });
      assert.match(problems[0]!, /without a password, which belongs into `headers`, got a URL/);
      assert.ok(!problems.join().includes("s3cr3t"));
    }
  });
});
