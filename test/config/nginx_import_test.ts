import assert from "node:assert/strict";
import fc from "fast-check";
import { parse } from "smol-toml";
import { NginxProblem } from "../../src/config/nginx.ts";
import { type Imported, importNginx } from "../../src/config/nginx_import.ts";

const golden = (name: string) => Deno.readTextFileSync(new URL(`../golden/nginx/${name}`, import.meta.url));
const imported = (http: string, location = "/sn", server = "listen 127.0.0.1:8080;") =>
  importNginx(`http {\n${http}\nserver {\n${server}\nlocation ${location} { sparkngin_root_loc; } } }`, "nginx.conf");
/** Of the result, its two tables. */
const tables = ({ toml }: Imported) => {
  const { http, destination: [pub] } = parse(toml) as {
    http: Record<string, unknown>;
    destination: Record<string, unknown>[];
  };
  return { http: { ...http }, pub: { ...pub! } };
};
const refused = (...parts: Parameters<typeof imported>) => {
  try {
    imported(...parts);
  } catch (problem) {
    assert.ok(problem instanceof NginxProblem, String(problem));
    return `${problem.line}: ${problem.message}`;
  }
  assert.fail(`taken: ${parts.join(" ")}`);
};

Deno.test("M8.1 the sample of 2013 becomes what the golden file shows", () => {
  assert.equal(importNginx(golden("sample-2013.conf"), "sample-2013.conf").toml, golden("sample-2013.toml"));
});

Deno.test("M8.1 every directive of 2013 has its counterpart, and its default where it is missing", () => {
  const fields = "%version% %ip% %time_stamp% %level% %topic% %user-agent% %referrer% %cookie%";
  assert.deepEqual(tables(imported("sparkngin_listen 7001;")), {
    http: { listen: "127.0.0.1:8080", root: "/sn", cookies: ["*"] },
    pub: {
      ...{ name: "pub", kind: "zeromq", listen: ["0.0.0.0:7001"], insecure: true, buf_size: "4M", compression: "none" },
      ...{ format: "plain ' '", fields },
    },
  });
  const all = "sparkngin_buf_size 512k; sparkngin_gzip on; sparkngin_format plain '\\t'; " +
    "sparkngin_fields '%ip%  %referer%' %cookie_a% %cookie_b%; sparkngin_listen 127.0.0.1:7000;";
  assert.deepEqual(tables(imported(all, "= /a/b/", "listen [::1]:90 default_server;")), {
    http: { listen: "[::1]:90", root: "/a/b", cookies: ["a", "b"] },
    pub: {
      ...{ name: "pub", kind: "zeromq", listen: ["127.0.0.1:7000"], buf_size: "512K", compression: "gzip" },
      ...{ format: "plain '\t'", fields: "%ip% %referrer% %cookie_a% %cookie_b%" },
    },
  });
});

Deno.test("M8.1 addresses are those that nginx would listen to", () => {
  const address = (listen: string) => tables(imported("", "/sn", listen)).http.listen;
  assert.deepEqual(
    ["listen 8000;", "listen *:81;", "listen *;", "listen localhost;", "listen [::]:80;", ""].map(address),
    ["0.0.0.0:8000", "0.0.0.0:81", "0.0.0.0:80", "localhost:80", "[::]:80", "0.0.0.0:80"],
  );
});

Deno.test("M8.1 what cannot be translated is named with its line, in the notes and in the comments", () => {
  const result = importNginx(
    "user a;\nhttp {\n include x/*.conf;\n sparkngin_zmq_sndhwm 5;\n server { listen 80 ssl; listen 81;\n" +
      "location / { sparkngin_root_loc; }\nlocation /b { sparkngin_root_loc; }\n} }",
    "a\nb",
  );
  assert.deepEqual(result.notes.map(({ line, text }) => `${line} ${text.slice(0, 40)}`), [
    "1 what nginx does besides has no counterpa",
    "3 include x/*.conf was not read: import th",
    "4 sparkngin_zmq_sndhwm has no counterpart ",
    "5 there is one address for messages here: ",
    "5 listen … ssl: write tls_cert and tls_key",
    "7 there is one root here: /b is left out, ",
  ]);
  for (const { line, text } of result.notes) assert.ok(result.toml.includes(`\n# line ${line}: ${text}\n`), text);
  assert.equal(tables(result).http.root, "");
});

Deno.test("M8.1 what a directive may not say is refused with its line and what is expected", () => {
  assert.match(refused("sparkngin_gzip maybe;"), /^2: sparkngin_gzip "maybe": expected on or off$/);
  assert.match(
    refused("\nsparkngin_gzip on;\nsparkngin_gzip off;"),
    /^4: sparkngin_gzip is there twice: line 3 has it/,
  );
  assert.match(refused("sparkngin_listen seven;"), /^2: sparkngin_listen "seven": expected a port/);
  assert.match(refused("sparkngin_listen 70000;"), /expected a port/);
  assert.match(refused("sparkngin_listen;"), /says nothing/);
  assert.match(refused("sparkngin_buf_size 4X;"), /expected a size such as 4M/);
  assert.match(refused("sparkngin_format xml;"), /expected json, plain with a delimiter, or binary/);
  assert.match(refused("sparkngin_format plain '\"';"), /expected a delimiter of 1 to 8/);
  assert.match(refused("sparkngin_fields %nope%;"), /2: sparkngin_fields: expected fields such as %ip%/);
  assert.match(refused("", "~ ^/sn$"), /location .* cannot be a root here/);
  assert.match(refused("", "/a%20b"), /cannot be a root here/);
  assert.match(refused("", "/a", "listen unix:/x;"), /^4: a Unix socket/);
  assert.match(refused("", "/a", "listen $host:80;"), /^4: listen "\$host:80": expected a port/);
  assert.match(refused("sparkngin_root_loc;"), /stands in no location/);
  assert.throws(() => importNginx("http {}", "x"), /it has no sparkngin_ directive/);
});

Deno.test("whatever the file says, what is printed is TOML of two tables", () => {
  const word = fc.stringMatching(/^[^\s;{}'"\\#]{1,20}$/);
  const line = fc.oneof(
    fc.tuple(fc.constantFrom("sparkngin_fields", "sparkngin_zmq_x", "include", "listen", "other\u0007"), word),
    fc.constant(["sparkngin_gzip", "on"] as const),
  );
  fc.assert(fc.property(fc.array(line), word, (lines, name) => {
    const text = lines.map((parts) => `${parts.join(" ")};`).join("\n");
    try {
      const { toml } = importNginx(`http {\n${text}\nsparkngin_listen 7000; }`, name);
      assert.deepEqual(Object.keys(parse(toml)), ["http", "destination"]);
    } catch (problem) {
      assert.ok(problem instanceof NginxProblem, String(problem));
    }
  }));
});
