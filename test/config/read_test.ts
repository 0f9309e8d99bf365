import assert from "node:assert/strict";
import type { Config } from "../../src/config/keys.ts";
import {
  checked,
  duration,
  type Fields,
  list,
  optional,
  secret,
  secretPath,
  text,
  whole,
} from "../../src/config/options.ts";
import { type ConfigSources, kindsIn, type Origins, readConfig } from "../../src/config/read.ts";

const kinds: Record<string, Fields> = {
  file: { dir: text("where the files go", "<data>/out") },
  kafka: {
    brokers: list("brokers to ask first"),
    gather: duration("how long to gather", "5ms"),
    password: secret(optional(text("of the user"))),
    retries: secret(whole("a secret number", 3)),
  },
};

function read(toml?: string, more: Partial<ConfigSources> = {}) {
  const file = toml === undefined ? {} : { files: [{ name: "sparkngin.toml", text: toml }] };
  return readConfig({ ...file, env: {}, flags: {}, kinds, readFile: missing, ...more });
}
function missing(path: string): string {
  throw new Error(`no such file: ${path}`);
}
function understood(toml?: string, more?: Partial<ConfigSources>): { config: Config; origins: Origins } {
  const reading = read(toml, more);
  if ("problems" in reading) assert.fail(reading.problems.join("\n"));
  return reading;
}
function problems(toml?: string, more?: Partial<ConfigSources>): readonly string[] {
  const reading = read(toml, more);
  return "problems" in reading ? reading.problems : [];
}
function refused(toml: string, problem: string, more?: Partial<ConfigSources>): void {
  assert.deepEqual(problems(toml, more), [problem]);
}
const bus = '[[destination]]\nname = "bus"\nkind = "kafka"\nbrokers = ["k:9092"]\n';

Deno.test("M8.1 nothing written gives the defaults, on loopback, with files, and a publisher that nobody waits for", () => {
  const isBestEffort = (kind: string) => kind === "zeromq";
  const { config, origins } = understood("", { isBestEffort });
  assert.equal(config.data, "./data");
  assert.equal(config.http.listen, "127.0.0.1:8080");
  assert.equal(config.management.listen, "127.0.0.1:8081");
  assert.equal(config.log.segment, 64 * 2 ** 20);
  assert.equal(config.log.retain, 86_400_000);
  assert.deepEqual(config.destination.map(({ name, kind, required, options }) => ({ name, kind, required, options })), [
    { name: "out", kind: "file", required: true, options: { dir: "<data>/out" } },
    { name: "pub", kind: "zeromq", required: false, options: {} },
  ]);
  assert.equal(origins["http.listen"]?.source, "default");
  assert.equal(origins["destination.out.dir"]?.source, "default");
});

Deno.test("P13 a destination that is best effort is not required unless somebody writes so", () => {
  const isBestEffort: ConfigSources["isBestEffort"] = (kind, { retries }) => kind === "kafka" && retries === 0;
  const required = (toml: string) => understood(toml, { isBestEffort }).config.destination[0]!.required;
  assert.equal(required(bus), true);
  assert.equal(required(`${bus}required = false\n`), false);
  assert.equal(required(`${bus}retries = 0\n`), false);
  assert.equal(required(`${bus}retries = 0\nrequired = true\n`), true);
});

Deno.test("any configured destination replaces the default ones", () => {
  const { config } = understood(bus);
  assert.deepEqual(config.destination.map(({ name }) => name), ["bus"]);
  assert.deepEqual(config.destination[0]!.options, {
    brokers: ["k:9092"],
    gather: 5,
    password: undefined,
    retries: 3,
  });
});

Deno.test("M8.1 flags win over the environment, that over the file, that over the default", () => {
  const file = '[log]\nsegment = "1MiB"\nretain = "1h"\nretain_max = "1GiB"\n';
  const env = { SPARKNGIN_LOG__SEGMENT: "2MiB", SPARKNGIN_LOG__RETAIN: "2h", SPARKNGIN_DATA: "/d" };
  const { config, origins } = understood(file, { env, flags: { "log.segment": "3MiB" } });
  assert.equal(config.log.segment, 3 * 2 ** 20);
  assert.equal(config.log.retain, 7_200_000);
  assert.equal(config.log.retain_max, 2 ** 30);
  assert.equal(config.data, "/d");
  assert.equal(origins["log.segment"]?.source, "--log-segment");
  assert.equal(origins["log.retain"]?.source, "SPARKNGIN_LOG__RETAIN");
  assert.equal(origins["log.retain_max"]?.source, "sparkngin.toml:4");
  assert.equal(origins["log.ballast"]?.source, "default");
});

Deno.test("a flag without a value is true, and false can be said", () => {
  assert.equal(understood("", { flags: { "http.public": true } }).config.http.public, true);
  const off = understood("[http]\npublic = true", { flags: { "http.public": "false" } });
  assert.equal(off.config.http.public, false);
});

Deno.test("a list from the environment is written with commas", () => {
  const { config } = understood("", { env: { SPARKNGIN_HTTP__COOKIES: "user_id, sid" } });
  assert.deepEqual(config.http.cookies, ["user_id", "sid"]);
});

Deno.test("a value overridden is looked at nevertheless", () => {
  refused(
    '[log]\nretain = "soon"',
    'Cannot read sparkngin.toml: line 2: "retain" in [log] is "soon"; expected a duration such as "30s" or "24h"',
    { flags: { "log.retain": "1h" } },
  );
});

Deno.test("what is no TOML is named with line and column", () => {
  refused("[http]\nlisten = \n", "Cannot read sparkngin.toml: line 2, column 10: invalid value");
});

Deno.test("a byte order mark and Windows line ends are no trouble", () => {
  assert.equal(understood('\uFEFF[http]\r\nroot = "/sn"\r\n').config.http.root, "/sn");
});

Deno.test("an unknown section is refused with the nearest name", () => {
  refused('[htp]\nroot = "/sn"', 'Cannot read sparkngin.toml: line 1: unknown section [htp]; did you mean "http"?');
});

Deno.test("an unknown key is refused with the nearest name", () => {
  refused(
    "\n[http]\nlisen = 3",
    'Cannot read sparkngin.toml: line 3: unknown key "lisen" in [http]; did you mean "listen"?',
  );
  refused('dta = "x"', 'Cannot read sparkngin.toml: line 1: unknown key "dta"; did you mean "data"?');
});

Deno.test("an unknown key that nothing resembles is refused with the known ones", () => {
  refused(
    "[management]\nzzzzzz = 3",
    'Cannot read sparkngin.toml: line 2: unknown key "zzzzzz" in [management]; known are "listen", "public", "keys"',
  );
});

Deno.test("a key in the wrong section is sent to the right one", () => {
  refused(
    '[http]\nretain = "1h"',
    'Cannot read sparkngin.toml: line 2: unknown key "retain" in [http]; "retain" belongs in [log]',
  );
  refused('root = "/sn"', 'Cannot read sparkngin.toml: line 1: unknown key "root"; "root" belongs in [http]');
});

Deno.test("a key that JavaScript objects inherit is as unknown as any other", () => {
  assert.match(problems("[http]\nconstructor = 3")[0]!, /line 2: unknown key "constructor" in \[http\]/);
  assert.match(problems("constructor = 3")[0]!, /line 1: unknown key "constructor"/);
  assert.match(problems('[[destination]]\nname = "a"\nkind = "toString"')[0]!, /unknown kind "toString"/);
});

Deno.test("a section written as a value is explained", () => {
  refused("http = 3", 'Cannot read sparkngin.toml: line 1: "http" is a section: write [http] above its keys');
});

Deno.test("a wrong value is shown with what was expected", () => {
  const expected: [string, string][] = [
    ['[http]\nbody_max = "lots"', '"body_max" in [http] is "lots"; expected a size such as "64MiB"'],
    ["[http]\nbody_max = 3", '"body_max" in [http] is 3; expected a size such as "64MiB"'],
    ['[http]\nbody_max = "3"', '"body_max" in [http] is "3"; expected a size of at least 1024 bytes'],
    ["[http]\ndepth_max = 0", '"depth_max" in [http] is 0; expected a whole number from 1 to 1000'],
    ["[http]\ndepth_max = 1.5", '"depth_max" in [http] is 1.5; expected a whole number'],
    ["[http]\npublic = 1", '"public" in [http] is 1; expected true or false'],
    ["[http]\ncookies = [1]", '"cookies" in [http] is [1]; expected a list such as ["a", "b"]'],
    ["[log]\nretain = 24", '"retain" in [log] is 24; expected a duration such as "30s" or "24h"'],
    [
      "[log]\nretain = 2026-01-01",
      '"retain" in [log] is "2026-01-01"; expected a duration such as "30s" or "24h"',
    ],
    [
      '[http]\nlisten = ":8080"',
      '"listen" in [http] is ":8080"; expected an address and port such as "127.0.0.1:8080" or "[::1]:8080"',
    ],
    [
      '[management]\nlisten = "localhost:65536"',
      '"listen" in [management] is "localhost:65536"; ' +
      'expected an address and port such as "127.0.0.1:8080" or "[::1]:8080"',
    ],
    [
      '[http]\nroot = "/sn/"',
      '"root" in [http] is "/sn/"; expected nothing or a path such as "/sn": ' +
      "a slash in front, none at the end, of letters, digits and . _ ~ -",
    ],
    [
      '[http]\ntopic = "a b"',
      '"topic" in [http] is "a b"; expected nothing or a topic: letters, digits and . _ -, 249 at most, ' +
      'and not "." or ".."',
    ],
  ];
  for (const [toml, problem] of expected) refused(toml, `Cannot read sparkngin.toml: line 2: ${problem}`);
  refused('data = ""', 'Cannot read sparkngin.toml: line 1: "data" is ""; expected a directory in quotes');
});

Deno.test("a long wrong value is cut short", () => {
  const [problem] = problems(`[log]\nretain = "${"x".repeat(500)}"`);
  assert.match(problem!, /is "x{56}…; expected/);
});

Deno.test("a wrong value from the environment or the command line is named by its variable or flag", () => {
  assert.deepEqual(problems("", { env: { SPARKNGIN_LOG__RETAIN: "x" }, flags: { "http.public": "x" } }), [
    'Cannot read the command line: --http-public is "x"; expected true or false',
    'Cannot read the environment: SPARKNGIN_LOG__RETAIN is "x"; expected a duration such as "30s" or "24h"',
  ]);
});

Deno.test("an unknown variable of ours is refused with the nearest name, those of others are not looked at", () => {
  refused(
    "",
    'Cannot read the environment: unknown variable "SPARKNGIN_HTTP_LISTEN"; did you mean "SPARKNGIN_HTTP__LISTEN"?',
    { env: { SPARKNGIN_HTTP_LISTEN: "x", PATH: "/bin", XSPARKNGIN_A: "" } },
  );
});

Deno.test("variables of the command line and of Kubernetes' service links are no unknown keys", () => {
  const kubernetes = {
    SPARKNGIN_SERVICE_HOST: "10.0.0.1",
    SPARKNGIN_SERVICE_PORT: "80",
    SPARKNGIN_SERVICE_PORT_HTTP: "80",
    SPARKNGIN_PORT: "tcp://10.0.0.1:80",
    SPARKNGIN_PORT_80_TCP: "tcp://10.0.0.1:80",
    SPARKNGIN_PORT_80_TCP_ADDR: "10.0.0.1",
  };
  understood("", { env: { SPARKNGIN_URL: "x", SPARKNGIN_CONFIG: "y", SPARKNGIN_EXE: "z", ...kubernetes } });
});

Deno.test("M1.10 an intake address beyond loopback is refused until keys or public is written", () => {
  refused(
    '[http]\nlisten = "0.0.0.0:8080"',
    'Cannot read sparkngin.toml: line 2: "listen" in [http] is "0.0.0.0:8080", which is beyond this machine: ' +
      "who reaches it can send messages. Write keys = true in [http] to ask for keys (sparkngin key create makes them). " +
      "If everybody may, write public = true in [http]; else listen on 127.0.0.1",
  );
  refused(
    "",
    'Cannot read the command line: --http-listen is "[::]:8080", which is beyond this machine: ' +
      "who reaches it can send messages. Write keys = true in [http] to ask for keys (sparkngin key create makes them). " +
      "If everybody may, write public = true in [http]; else listen on 127.0.0.1",
    { flags: { "http.listen": "[::]:8080" } },
  );
  understood('[http]\nlisten = "0.0.0.0:8080"\npublic = true');
  understood('[http]\nlisten = "0.0.0.0:8080"\nkeys = true');
  understood('[http]\nlisten = "[::1]:8080"');
  understood('[http]\nlisten = "localhost:8080"');
});

Deno.test("M1.10 a management address beyond loopback is refused until keys or public is written", () => {
  refused(
    '[management]\nlisten = "0.0.0.0:8081"',
    'Cannot read sparkngin.toml: line 2: "listen" in [management] is "0.0.0.0:8081", which is beyond this machine: ' +
      "who reaches it can read every message and steer destinations. Write keys = true in [management] to ask for keys " +
      "(sparkngin key create makes them). If everybody may, write public = true in [management]; else listen on 127.0.0.1",
  );
  understood('[management]\nlisten = "0.0.0.0:8081"\npublic = true');
  understood('[management]\nlisten = "0.0.0.0:8081"\nkeys = true');
});

Deno.test("M1.10 to ask everybody for a key, and nobody, is refused", () => {
  for (const section of ["http", "management"]) {
    refused(
      `[${section}]\npublic = true\nkeys = true`,
      `Cannot read sparkngin.toml: line 3: "keys" in [${section}] is true, and so is public, which asks nobody for a key: ` +
        "keep one of the two",
    );
  }
});

Deno.test("M1.10 origins are written as browsers send them", () => {
  understood(
    '[http]\ncors_origins = ["*", "null", "https://a.example", "http://localhost:3000", "chrome-extension://abc"]',
  );
  const expected = 'expected origins as browsers send them, such as "https://www.example.com"';
  const table = [
    ["https://a.example/", '; write "https://a.example"'],
    ["https://A.example:443", '; write "https://a.example"'],
    ["https://a.example/page?x", '; write "https://a.example"'],
    ["a.example", ""],
    ["https://*.example", ""],
    ["", ""],
  ];
  for (const [origin, advice] of table) {
    refused(
      `[http]\ncors_origins = ["${origin}"]`,
      `Cannot read sparkngin.toml: line 2: "cors_origins" in [http] has "${origin}"; ${expected}${advice}`,
    );
  }
});

Deno.test("M1.6 a visitor's cookie lasts as long as browsers keep one, at most", () => {
  understood('[http]\nvisitor_cookie = "visitor"\nvisitor_max_age = "400d"');
  for (const age of ["401d", "0s"]) {
    refused(
      `[http]\nvisitor_max_age = "${age}"`,
      'Cannot read sparkngin.toml: line 2: "visitor_max_age" in [http] is out of bounds; ' +
        "expected 1s to 400d, beyond which browsers do not go",
    );
  }
});

Deno.test("intake and management at one address are refused, unless the system chooses the port", () => {
  refused(
    '[http]\nlisten = "127.0.0.1:8081"',
    'Cannot read sparkngin.toml: line 2: "listen" in [http] is "127.0.0.1:8081": ' +
      "[http] and [management] need an address each",
  );
  understood('[http]\nlisten = "127.0.0.1:0"\n[management]\nlisten = "127.0.0.1:0"');
});

Deno.test("a trusted proxy that is no address is refused", () => {
  refused(
    '[http]\ntrusted_proxies = ["10.0.0.0/8", "fe80::1", "10.0.0.0/33"]',
    'Cannot read sparkngin.toml: line 2: "trusted_proxies" in [http] has "10.0.0.0/33"; ' +
      'expected addresses, or IPv4 networks such as "10.0.0.0/8"',
  );
});

Deno.test("an unknown key of a destination is refused with the nearest name, its adaptor's included", () => {
  refused(
    bus.replace("brokers", "gather = '1s'\nbrokres").replace("[[", "\n\n[["),
    'Cannot read sparkngin.toml: line 7: unknown key "brokres" in [[destination]] "bus"; did you mean "brokers"?',
    { kinds: { ...kinds, kafka: { ...kinds.kafka, brokers: optional(list("brokers")) } } },
  );
});

Deno.test("a key that a destination needs is asked for, with its help", () => {
  refused(
    '[[destination]]\nname = "bus"\nkind = "kafka"',
    'Cannot read sparkngin.toml: line 1: [[destination]] "bus" needs "brokers": brokers to ask first',
  );
  assert.deepEqual(problems("[[destination]]\n[[destination]]\nname = 'a'"), [
    'Cannot read sparkngin.toml: line 1: [[destination]] number 1 needs "name": ' +
    "name of the destination: letters, digits, dot, dash, underscore; 64 at most",
    'Cannot read sparkngin.toml: line 1: [[destination]] number 1 needs "kind": which adaptor carries the messages',
    'Cannot read sparkngin.toml: line 2: [[destination]] "a" needs "kind": which adaptor carries the messages',
  ]);
});

Deno.test("a wrong value of a destination is shown with what was expected", () => {
  refused(
    `${bus}gather = 3`,
    'Cannot read sparkngin.toml: line 5: "gather" in [[destination]] "bus" is 3; ' +
      'expected a duration such as "30s" or "24h"',
  );
});

Deno.test("an unknown kind is refused with the nearest name", () => {
  refused(
    '[[destination]]\nname = "bus"\nkind = "kafak"',
    'Cannot read sparkngin.toml: line 3: unknown kind "kafak" in [[destination]] "bus"; did you mean "kafka"?',
  );
  refused(
    '[[destination]]\nname = "bus"\nkind = "elasticsearch"',
    'Cannot read sparkngin.toml: line 3: unknown kind "elasticsearch" in [[destination]] "bus"; ' +
      'known are "file", "kafka"',
  );
});

Deno.test("a name must be fit for a directory, and nobody else's, whatever the file system", () => {
  for (const name of [".", "..", "a/b", "", "x".repeat(65)]) {
    const [problem] = problems(bus.replace('"bus"', JSON.stringify(name)));
    assert.match(problem!, /line 2: .*expected a name of 1 to 64 letters, digits, dots, dashes and underscores/);
  }
  refused(
    `${bus}${bus.replace("bus", "BUS")}`,
    'Cannot read sparkngin.toml: line 6: there are two destinations "BUS"',
  );
});

Deno.test("from is now, oldest or a position, with or without quotes", () => {
  assert.equal(understood(`${bus}from = 102938`).config.destination[0]!.from, "102938");
  assert.equal(understood(`${bus}from = "oldest"`).config.destination[0]!.from, "oldest");
  refused(
    `${bus}from = "yesterday"`,
    'Cannot read sparkngin.toml: line 5: "from" in [[destination]] "bus" is "yesterday"; ' +
      'expected "now", "oldest" or a position such as 102938',
  );
});

Deno.test("a filter asks for topic, env, level and type only", () => {
  const { config } = understood(`${bus}filter = { topic = "web.*", level = "error" }`);
  assert.deepEqual(config.destination[0]!.filter, { topic: "web.*", level: "error" });
  refused(
    `${bus}filter = { topc = "web.*" }`,
    'Cannot read sparkngin.toml: line 5: unknown key "topc" in the filter of [[destination]] "bus"; ' +
      'did you mean "topic"?',
  );
  refused(
    `${bus}[destination.filter]\ntopic = 3`,
    'Cannot read sparkngin.toml: line 5: "filter" in [[destination]] "bus" is {"topic":3}; ' +
      'expected a table such as { topic = "web.*" }',
  );
});

Deno.test("[destination] with single brackets is explained", () => {
  refused(
    '[destination]\nname = "bus"',
    "Cannot read sparkngin.toml: line 1: a destination is written as [[destination]], with two brackets on each side",
  );
});

Deno.test("references in texts are filled in from the environment and from files", () => {
  const readFile = (path: string) => path === "/run/secret" ? "hunter2\n" : missing(path);
  const { config, origins } = understood(
    `data = "/a$\${b}"\n${bus.replace("k:9092", "${HOST}:9092")}password = "\${file:/run/secret}"`,
    { env: { HOST: "kafka-1" }, readFile },
  );
  assert.equal(config.data, "/a${b}");
  assert.deepEqual(config.destination[0]!.options.brokers, ["kafka-1:9092"]);
  assert.equal(config.destination[0]!.options.password, "hunter2");
  assert.equal(origins["destination.bus.password"]?.written, "${file:/run/secret}");
});

Deno.test("what a reference brings is never read as a reference, and never comes from flags or the environment", () => {
  const { config } = understood(`${bus}password = "\${A}"`, { env: { A: "${B}", SPARKNGIN_DATA: "${A}" } });
  assert.equal(config.destination[0]!.options.password, "${B}");
  assert.equal(config.data, "${A}");
});

Deno.test("a reference that leads nowhere is refused", () => {
  const password = '"password" in [[destination]] "bus" cannot be filled in';
  const expected: [string, string][] = [
    ["${NOBODY}", "the environment has no variable NOBODY"],
    ["${file:/nowhere}", 'the file "/nowhere" cannot be read: no such file: /nowhere'],
    ["${a b}", '"${a b}" is none of ${NAME}, ${file:/path} and ${cred:NAME}; write $${ for a plain ${'],
    ["x ${NOBODY", 'a "${" lacks its closing brace; write $${ for a plain ${'],
  ];
  for (const [written, why] of expected) {
    refused(`${bus}password = "${written}"`, `Cannot read sparkngin.toml: line 5: ${password}: ${why}`);
  }
});

Deno.test("a secret that is wrong is not shown", () => {
  refused(
    `${bus}retries = "hunter2"`,
    'Cannot read sparkngin.toml: line 5: "retries" in [[destination]] "bus" is wrong; expected a whole number',
  );
});

Deno.test("the login in a URL that is refused is not shown", () => {
  refused(
    '[http]\nlisten = "http://me:hunter2/@x@host:1"',
    'Cannot read sparkngin.toml: line 2: "listen" in [http] is "http://…@host:1"; ' +
      'expected an address and port such as "127.0.0.1:8080" or "[::1]:8080"',
  );
});

Deno.test("the path of a URL that is refused is not shown, nor a login without a scheme", () => {
  const url = checked(text("where"), () => {
    throw new TypeError("a URL");
  });
  const kinds = { hook: { url: secretPath(url) } };
  const found = problems(
    '[http]\ntrusted_proxies = ["me:hunter2@host"]\ncors_origins = ["http://me:hunter2@host"]\n' +
      '[[destination]]\nname = "h"\nkind = "hook"\nurl = "htps://hooks.example.com/T0/hunter2?k=hunter2"\n',
    { kinds },
  );
  assert.equal(found.length, 3);
  assert.match(found.join("\n"), /is "htps:\/\/hooks\.example\.com\/\(secret\)"; expected a URL/);
  assert.ok(!found.join("\n").includes("hunter2"), found.join("\n"));
});

Deno.test("M8.1 of a thousand destinations each key has its line, and none costs a look at all the text", () => {
  const one = (i: number) => `[[destination]]\nname = "d${i}"\nkind = "file"\ndir = "${i}"\n`;
  const { config, origins } = understood(Array.from({ length: 1000 }, (_, i) => one(i)).join(""));
  assert.equal(config.destination.length, 1000);
  assert.equal(origins["destination.d999.dir"]!.source, "sparkngin.toml:4000");
});

Deno.test("all problems are told at once", () => {
  assert.equal(problems("[http]\nlisen = 1\nbody_max = 'x'\n[lgo]\n", { env: { SPARKNGIN_X: "" } }).length, 4);
});

Deno.test("only the kinds that the file names need their code", () => {
  const files = (text: string) => [{ name: "f", text }];
  assert.deepEqual(kindsIn([]), ["file", "zeromq"]);
  assert.deepEqual(kindsIn(files("[http]")), ["file", "zeromq"]);
  assert.deepEqual(kindsIn(files(bus + bus)), ["kafka"]);
  assert.deepEqual(kindsIn(files("[[destination]]\nkind = 3")), []);
  assert.deepEqual(kindsIn(files("=")), ["file", "zeromq"]);
});

Deno.test("M8.1 ${cred:NAME} is what systemd put into the directory of credentials; a missing one is an error with its line", () => {
  const toml = `${bus}password = "\${cred:kafka.password}"\n`;
  const env = { CREDENTIALS_DIRECTORY: "/run/credentials/sparkngin.service" };
  const files: Record<string, string> = { "/run/credentials/sparkngin.service/kafka.password": "hunter2\n" };
  const readFile = (path: string) => files[path] ?? missing(path);
  assert.equal(understood(toml, { env, readFile }).config.destination[0]!.options.password, "hunter2");
  refused(
    toml,
    'Cannot read sparkngin.toml: line 5: "password" in [[destination]] "bus" cannot be filled in: there are no ' +
      "credentials, because CREDENTIALS_DIRECTORY is not set; write LoadCredential=kafka.password:/path into the unit of " +
      "systemd, or else ${file:/path} here",
  );
  assert.match(
    problems(toml, { env })[0]!,
    /line 5: .*the file "\/run\/.*\/kafka\.password" cannot be read: no such file/,
  );
  for (const name of ["../x", "..", "a/b", ""]) {
    assert.match(problems(toml.replace("kafka.password", name), { env })[0]!, /line 5: .* is no name of a credential$/);
  }
});
