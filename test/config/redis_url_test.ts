import assert from "node:assert/strict";
import { describe, it } from "@std/testing/bdd";
import fc from "fast-check";

import type { ParsedUrl } from "../../src/config/redis_url.ts";
import { parseRedisUrl, percentDecoded } from "../../src/config/redis_url.ts";
import type { RedisEndpoint } from "../../src/settings.ts";
import { endpointAt } from "../support/endpoint.ts";

const NOWHERE = { masterName: null, sentinelPassword: null };

function endpointOf(url: string, context = {}): RedisEndpoint {
  const parsed = parseRedisUrl(url, { ...NOWHERE, ...context });
  assert.equal(parsed.kind, "endpoint", JSON.stringify(parsed));
  return (parsed as Extract<ParsedUrl, { kind: "endpoint" }>).endpoint;
}

const PLAIN = endpointAt(6379, { hosts: [{ host: "localhost", port: 6379 }] });
const VERIFIED = { caFile: null, certFile: null, keyFile: null, isVerified: true };

describe("parseRedisUrl()", () => {
  const cases: [string, Partial<RedisEndpoint>][] = [
    ["redis://", {}],
    ["redis://localhost", {}],
    [" redis://localhost/ ", {}],
    ["redis://h:6380/5", { hosts: [{ host: "h", port: 6380 }], database: 5 }],
    ["redis://[::1]:6380/1", { hosts: [{ host: "::1", port: 6380 }], database: 1 }],
    ["redis://:p@localhost", { password: "p" }],
    ["redis://u:p@localhost", { username: "u", password: "p" }],
    ["redis://u@localhost", { username: "u" }],
    ["redis://:p@ss@localhost", { password: "p@ss" }],
    ["redis://:a%2Fb%3Fc%23d%40e%25@localhost", { password: "a/b?c#d@e%" }],
    ["redis://:100%@localhost", { password: "100%" }],
    ["rediss://localhost", { tls: VERIFIED }],
    ["rediss://localhost?ssl_cert_reqs=none", { tls: { ...VERIFIED, isVerified: false } }],
    ["rediss://localhost?ssl_cert_reqs=CERT_OPTIONAL", { tls: VERIFIED }],
    [
      "rediss://localhost/?ssl_cert_reqs=required&ssl_ca_certs=%2Fca.pem&ssl_certfile=/c&ssl_keyfile=/k",
      { tls: { caFile: "/ca.pem", certFile: "/c", keyFile: "/k", isVerified: true } },
    ],
    ["redis://localhost/1?db=3", { database: 3 }],
    ["redis+socket:///r.sock?db=2", { hosts: [], socketPath: "/r.sock", database: 2 }],
    ["redis+socket:///run/redis.sock", { hosts: [], socketPath: "/run/redis.sock" }],
    ["redis+socket://:p@/r.sock?virtual_host=/3", {
      hosts: [],
      socketPath: "/r.sock",
      password: "p",
      database: 3,
    }],
    ["sentinel://:p@a:26379;sentinel://b:26380/2?master_name=m", {
      hosts: [{ host: "a", port: 26379 }, { host: "b", port: 26380 }],
      password: "p",
      database: 2,
      sentinelMaster: "m",
    }],
    ["sentinel://a/1;b;sentinel://c:1;?master_name=m", {
      hosts: [{ host: "a", port: 26379 }, { host: "b", port: 26379 }, { host: "c", port: 1 }],
      database: 1,
      sentinelMaster: "m",
    }],
  ];
  for (const [url, expected] of cases) {
    it(`reads ${url}`, () => assert.deepEqual(endpointOf(url), { ...PLAIN, ...expected }));
  }

  it("takes the name of the master and the sentinels' password from outside the URL", () => {
    const endpoint = endpointOf("sentinel://a", { masterName: "m", sentinelPassword: "s" });
    assert.equal(endpoint.sentinelMaster, "m");
    assert.equal(endpoint.sentinelPassword, "s");
  });

  it("says which parameters it does not know", () => {
    const parsed = parseRedisUrl("redis://h?socket_timeout=3&x=1", NOWHERE);
    assert.deepEqual(parsed.kind === "endpoint" && parsed.ignored, ["socket_timeout", "x"]);
  });

  const refused: [string, RegExp][] = [
    ["http://h", /redis:\/\/, rediss:\/\//],
    ["localhost:6379", /redis:\/\//],
    ["", /redis:\/\//],
    ["redis://h:0", /port from 1 to 65535/],
    ["redis://h:65536", /port from 1 to 65535/],
    ["redis://h:x", /percent-encoded/],
    ["redis://:hunter2/x@h", /percent-encoded/],
    ["redis://h/a", /database number/],
    ["redis://h/1/2", /database number/],
    ["redis://a;redis://b", /one Redis.*2 URLs/],
    ["sentinel://a", /name of their master.*master_name/],
    ["rediss://h?ssl_cert_reqs=maybe", /ssl_cert_reqs/],
    ["redis+socket://host", /redis\+socket:\/\/\/path/],
    ["redis+socket:///s?virtual_host=x", /virtual_host/],
  ];
  for (const [url, reason] of refused) {
    it(`refuses ${JSON.stringify(url)}`, () => {
      const parsed = parseRedisUrl(url, NOWHERE);
      assert.equal(parsed.kind, "refused");
      assert.match(parsed.kind === "refused" ? `${parsed.expected}, ${parsed.got}` : "", reason);
      assert.doesNotMatch(JSON.stringify(parsed), /hunter2/);
    });
  }

  for (
    const url of [
      ...["amqp://u:p@h", "db+postgresql://u:p@h/d", "rpc://", "sqs://k:s@", "disabled"],
      ...[
        "db+postgresql+psycopg2://u:p@h/d",
        "db+mysql+mysqldb://h/d",
        "sqla+postgresql+pg8000://h",
      ],
    ]
  ) {
    it(`knows ${url} for another kind of broker or backend`, () => {
      const parsed = parseRedisUrl(url, NOWHERE);
      assert.equal(parsed.kind === "foreign" && parsed.scheme, /^[a-z]+/.exec(url)![0]);
    });
  }

  it("gives back any user, password, port and database that is written into a URL", () => {
    const word = fc.string({ unit: "grapheme", minLength: 1 });
    const whole = fc.integer({ min: 1, max: 65_535 });
    fc.assert(fc.property(word, word, whole, whole, (username, password, port, database) => {
      const user = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`;
      const endpoint = endpointOf(`redis://${user}@redis.example:${port}/${database}`);
      assert.deepEqual(endpoint, {
        ...PLAIN,
        hosts: [{ host: "redis.example", port }],
        ...{ username, password, database },
      });
    }));
  });

  it("never quotes a password that is not encoded", () => {
    const secret = fc.string({ minLength: 1, unit: fc.constantFrom(...":/?#@%;[]&=") })
      .map((text) => `Zq7${text}Zq7`);
    fc.assert(
      fc.property(secret, fc.constantFrom("redis", "rediss", "sentinel"), (password, kind) => {
        const parsed = parseRedisUrl(`${kind}://u:${password}@h:1/0`, NOWHERE);
        if (parsed.kind !== "endpoint") assert.doesNotMatch(JSON.stringify(parsed), /Zq7/);
      }),
    );
  });
});

describe("percentDecoded()", () => {
  it("leaves what is no valid escape", () => {
    assert.equal(percentDecoded("%41%zz%ff%"), "A%zz%ff%");
  });
});
