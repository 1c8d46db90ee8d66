/** Sources over HTTP, asked of a server of the test's own. */

import { describe, it } from "@std/testing/bdd";
import assert from "node:assert/strict";
import { SourceError } from "../../src/errors.ts";
import type { SourceHeaders } from "../../src/level.ts";
import { NO_HEADERS } from "../support/build.ts";
import { readHttp, shareOf } from "../../src/sources/http.ts";

const NEVER = new AbortController().signal;

/** Asks a server that answers as wanted; tells what it was asked. */
async function asking<T>(
  answer: (request: Request) => Response | Promise<Response>,
  use: (origin: string, asked: URL[]) => Promise<T>,
): Promise<T> {
  const asked: URL[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    asked.push(new URL(request.url));
    return answer(request);
  });
  try {
    return await use(`http://127.0.0.1:${server.addr.port}`, asked);
  } finally {
    await server.shutdown();
  }
}

function prometheus(data: unknown, status = 200): () => Response {
  return () => Response.json(data, { status });
}

async function ofPrometheus(answer: () => Response) {
  return await asking(
    answer,
    (url) => readHttp({ kind: "prometheus", headers: NO_HEADERS, url, query: "errors" }, NEVER),
  );
}

async function ofJson(body: unknown, { path = "a.b", at = null as string | null } = {}) {
  return await asking(() => Response.json(body), (url) =>
    readHttp({
      ...{ kind: "http", headers: NO_HEADERS },
      url: `${url}/health?verbose=1`,
      path: path.split("."),
      at: at?.split(".") ?? null,
    }, NEVER));
}

async function problemOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof SourceError, String(error));
    return error.message.replaceAll(/127\.0\.0\.1:\d+/g, "HOST");
  }
  assert.fail("expected a SourceError");
}

describe("readHttp() of Prometheus", () => {
  const vector = (...values: unknown[]) => ({
    status: "success",
    data: { resultType: "vector", result: values.map((value) => ({ metric: {}, value })) },
  });

  it("sends the query to the HTTP API, below any path", async () => {
    const query = 'sum(rate(x{code=~"5.."}[1m])) / sum(rate(x[1m]))';
    await asking(prometheus(vector([0, "0.05"])), async (url, asked) => {
      const read = await readHttp({
        kind: "prometheus",
        headers: NO_HEADERS,
        url: `${url}/prom/`,
        query,
      }, NEVER);
      assert.deepEqual(read, { share: 0.05, atMs: null });
      assert.equal(asked[0]!.pathname, "/prom/api/v1/query");
      assert.equal(asked[0]!.searchParams.get("query"), query);
    });
  });

  it("takes none of none for no events", async () => {
    const read = await ofPrometheus(prometheus(vector([0, "NaN"])));
    assert.deepEqual(read, { share: null, atMs: null });
  });

  it("takes a scalar, too", async () => {
    const scalar = { data: { resultType: "scalar", result: [0, "0.25"] } };
    assert.equal((await ofPrometheus(prometheus(scalar))).share, 0.25);
  });

  for (
    const [what, answer, expected] of [
      [
        "no series",
        prometheus(vector()),
        /^expected `errors` to answer with one series, got 0: .*or vector\(0\)/,
      ],
      ["two series", prometheus(vector([0, "1"], [0, "1"])), /got 2: sum over the others$/],
      ["no number", prometheus(vector([0, "+Inf"])), /from 0 to 1, got "\+Inf"$/],
      ["a rate", prometheus(vector([0, "17"])), /share of bad events, from 0 to 1, got "17"$/],
      [
        "a wrong query",
        prometheus({ status: "error", error: "parse error: unexpected end" }, 400),
        /^http:\/\/HOST\/api\/v1\/query answers 400: parse error: unexpected end$/,
      ],
      ["a page", () => new Response("<html>"), /^expected JSON from http:\/\/HOST/],
      ["much too much", () => new Response("0".repeat(2_000_000)), /^expected a short answer from/],
    ] as const
  ) {
    it(`says what is wrong with ${what}`, async () => {
      assert.match(await problemOf(ofPrometheus(answer)), expected);
    });
  }

  it("says that nobody listens", async () => {
    const url = "http://127.0.0.1:1";
    const read = readHttp({ kind: "prometheus", headers: NO_HEADERS, url, query: "errors" }, NEVER);
    assert.match(
      await problemOf(read),
      /^http:\/\/127\.0\.0\.1:1\/api\/v1\/query cannot be read: |^http:\/\/HOST/,
    );
  });

  it("ends with its signal while the source hangs", async () => {
    const ending = new AbortController();
    let answer = (_: Response) => {};
    await asking(() => {
      ending.abort();
      return new Promise((resolve) => answer = resolve);
    }, async (url) => {
      const read = readHttp(
        { kind: "prometheus", headers: NO_HEADERS, url, query: "errors" },
        ending.signal,
      );
      assert.match(await problemOf(read), /cannot be read/);
      answer(new Response());
    });
  });
});

describe("readHttp() of a document", () => {
  it("follows the path to a number, or to the text of one", async () => {
    assert.deepEqual(await ofJson({ a: { b: 0.5 } }), { share: 0.5, atMs: null });
    assert.deepEqual(await ofJson({ a: { b: "0.5" } }), { share: 0.5, atMs: null });
    assert.deepEqual(await ofJson({ a: [{ b: 1 }] }, { path: "a.0.b" }), { share: 1, atMs: null });
  });

  it("reads when it was so", async () => {
    const atMs = Date.UTC(2026, 0, 1);
    for (const at of ["2026-01-01T00:00:00Z", atMs, atMs / 1_000]) {
      assert.deepEqual(await ofJson({ a: { b: 0 }, at }, { at: "at" }), { share: 0, atMs });
    }
    assert.match(
      await problemOf(ofJson({ a: { b: 0 } }, { at: "at" })),
      /^expected `at` to be a time, as RFC 3339 or in Unix seconds, got nothing$/,
    );
  });

  it("takes nothing else for a share", async () => {
    for (const b of [null, true, "", "few", -0.1, 1.1, {}, []]) {
      assert.match(await problemOf(ofJson({ a: { b } })), /^expected `a\.b` to be the share/);
    }
    assert.match(await problemOf(ofJson({ a: 1 })), /got nothing$/);
    assert.match(await problemOf(ofJson({}, { path: "constructor.name" })), /got nothing$/);
  });
});

describe("readHttp() with headers", () => {
  const secret = "s3cr3t-of-mine";
  const headers: SourceHeaders = {
    values: { authorization: `Bearer ${secret}`, "X-Scope-OrgID": "team-a" },
    secrets: [secret],
  };
  const source = (url: string) =>
    ({
      kind: "http",
      headers,
      url: `${url}/share?token=${secret}`,
      path: ["share"],
      at: null,
    }) as const;

  it("sends them, and what it accepts", async () => {
    const seen: (string | null)[] = [];
    await asking((request) => {
      const names = ["authorization", "x-scope-orgid", "accept"];
      seen.push(...names.map((name) => request.headers.get(name)));
      return Response.json({ share: 0.25 });
    }, async (url) => {
      assert.deepEqual(await readHttp(source(url), NEVER), { share: 0.25, atMs: null });
    });
    assert.deepEqual(seen, [`Bearer ${secret}`, "team-a", "application/json"]);
  });

  it("does not carry them to another server, and says so", async () => {
    let hits = 0;
    const other = () => Response.json({ share: hits++ });
    const problem = await asking(
      other,
      (elsewhere) =>
        asking(
          () => Response.redirect(`${elsewhere}/x`),
          (url) => problemOf(readHttp(source(url), NEVER)),
        ),
    );
    assert.equal(problem, "http://HOST/share answers 302: headers are not sent on to another URL");
    assert.equal(hits, 0);
  });

  it("says nothing of a secret, whatever the server says", async () => {
    const answers = [
      () => Response.json({ error: `Bearer ${secret} is unknown` }, { status: 401 }),
      () => Response.json({ share: secret }),
    ];
    const problems: string[] = [];
    for (const answer of answers) {
      problems.push(await asking(answer, (url) => problemOf(readHttp(source(url), NEVER))));
    }
    assert.deepEqual(problems, [
      "http://HOST/share answers 401: Bearer … is unknown",
      'expected `share` to be the share of bad events, from 0 to 1, got "…"',
    ]);
  });

  it("tells why there is no answer, without the rest of the URL", async () => {
    const url = await asking(() => new Response(), (url) => Promise.resolve(url));
    const without = { ...source(url), headers: NO_HEADERS };
    for (const each of [source(url), without]) {
      const error = await readHttp(each, NEVER).catch((error: unknown) => error);
      assert.ok(error instanceof SourceError);
      assert.match(error.message, /^http:\/\/[\d.:]+\/share cannot be read: .*refused/);
      assert.ok(!Deno.inspect(error, { depth: 9 }).includes(secret));
    }
  });
});

describe("shareOf()", () => {
  it("takes both ends", () => assert.deepEqual([shareOf("0", "x"), shareOf(1, "x")], [0, 1]));
});
