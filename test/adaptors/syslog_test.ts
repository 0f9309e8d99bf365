/** The syslog adaptor: its bytes, the examination, what becomes of broken connections, and real servers. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import syslog from "../../adaptors/syslog/mod.ts";
import { Tail } from "../../adaptors/syslog/tail.ts";
import { encode, frame, severities, severityOf, type Style } from "../../adaptors/syslog/wire.ts";
import { defaults, type Options } from "../../src/config/options.ts";
import type { Adaptor, Delivery } from "../../src/deliver/adaptor.ts";
import type { Position } from "../../src/log/mod.ts";
import type { Message } from "../../src/message/message.ts";
import { realWorld } from "../../src/os/deno.ts";
import { eventually, pause } from "../e2e/waiting.ts";
import { startSink } from "../services/sink.ts";
import { type Logged, missing, startSyslog, type Syslog } from "../services/syslog.ts";
import { deliveries, examine, type Examinee, never, texts } from "./contract.ts";

type SyslogOptions = Options<typeof syslog.options>;

const world = realWorld();
const utf8 = (text: string) => new TextEncoder().encode(text);
let places = 0;

interface Opening {
  readonly signal?: AbortSignal;
  readonly dir?: string;
  readonly notices?: string[];
}

async function open(options: Partial<SyslogOptions>, opening: Opening = {}): Promise<Adaptor> {
  const { signal = never(), dir = `/nowhere-${places++}`, notices = [] } = opening;
  const place = {
    ...{ destination: "logs", dir, world, position: 0 as Position, generation: 1 },
    notice: (text: string) => void notices.push(text),
  };
  const given = { ...defaults(syslog.options), host: "127.0.0.1", message_max: 1 << 20, ...options };
  return await syslog.open(given, place, signal);
}

examine("syslog over TCP", syslog, begin, { repeats: true });

async function begin(): Promise<Examinee> {
  const sink = await startSink();
  const dir = `/nowhere-${places++}`;
  return {
    open(_, signal) {
      sink.listenAgain();
      return open({ port: sink.port }, { signal, dir });
    },
    async bodies() {
      await sink.alone();
      return sink.frames().map((one) => parsed(one).text);
    },
    ids: async () => sink.frames().map((one) => parsed(one).id),
    async breakMidBatch() {
      sink.reset();
      await pause(200);
    },
    fallSilent: () => sink.fallSilent(),
    leave: () => sink[Symbol.asyncDispose](),
  };
}

function parsed(message: Buffer): { id: string; text: Buffer } {
  const [head] = /^<\d+>1 \S+ \S+ \S+ \S+ \S+ (-|\[(\\.|[^\]\\])*\]) ?/.exec(message.toString("latin1"))!;
  return { id: / id="([^"]+)"/.exec(head)![1]!, text: message.subarray(head.length) };
}

const style: Style = {
  ...{
    facility: "local3",
    severity: "notice",
    hostname: "host.example",
    enterprise: 32_473,
    fields: "all",
    bom: false,
  },
  appName: ({ topic }) => topic,
  procId: () => "-",
  msgId: ({ type = "" }) => type,
};

function delivery(fields: Partial<Message> = {}, body: Uint8Array = utf8("hello")): Delivery {
  const message: Message = { topic: "web", timestamp: 1_772_366_400_123, data: body, dataIsJson: false, ...fields };
  return { id: "9f3c-1-7", position: 7 as Position, message, body };
}
const written = (one: Delivery, given: Partial<Style> = {}) =>
  Buffer.from(encode(one, { ...style, ...given })).toString("latin1");

Deno.test("syslog: a message is RFC 5424's line", () => {
  assert.equal(
    written(delivery({ level: "error", type: "click", env: "prod", userAgent: "curl/8" })),
    '<155>1 2026-03-01T12:00:00.123Z host.example web - click [sparkngin@32473 id="9f3c-1-7" topic="web" env="prod" ' +
      'type="click" level="error" user_agent="curl/8"] hello',
  );
  assert.equal(written(delivery(), { fields: "id", enterprise: 1 }).split("[")[1], 'sparkngin@1 id="9f3c-1-7"] hello');
  assert.match(written(delivery(), { fields: "none" }), / web - - - hello$/);
  assert.match(written(delivery(), { bom: true }), /\] \xef\xbb\xbfhello$/);
  assert.match(written(delivery({}, new Uint8Array(0))), /topic="web"\]$/);
});

Deno.test("syslog: levels, as words or numbers, become severities; others what is configured", () => {
  for (const [number, name] of severities.entries()) {
    assert.equal(severityOf(name, "info"), name);
    assert.equal(severityOf(String(number), "info"), name);
  }
  const others = {
    ERROR: "err",
    Warn: "warning",
    fatal: "crit",
    " debug ": "debug",
    trace: "debug",
    panic: "emerg",
    information: "info",
  };
  for (const [level, severity] of Object.entries(others)) assert.equal(severityOf(level, "alert"), severity);
  for (const level of [undefined, "", "8", "constructor", "__proto__", "loud"]) {
    assert.equal(severityOf(level, "notice"), "notice");
  }
});

Deno.test("syslog: nothing that a sender chose breaks the header, the structured data or a frame", () => {
  const nasty = 'a"b\\c]d\n<0>1 é\0\x7f';
  const line = written(delivery({ type: nasty, level: nasty, referrer: nasty, userAgent: "\ud800" }), {
    msgId: ({ type }) => type!,
  });
  const [, msgid] = / web - (\S+) \[/.exec(line)!;
  assert.equal(msgid, 'a"b\\c]d_<0>1____');
  assert.ok(line.includes('referrer="a\\"b\\\\c\\]d#012<0>1 \xc3\xa9#000#177"'), line);
  assert.ok(!/[\n\0]/.test(line));
  const long = written(delivery({ topic: "t".repeat(249), type: "x".repeat(500) }), { hostname: "h".repeat(300) });
  assert.deepEqual(long.split(" ").slice(2, 6).map(({ length }) => length), [255, 48, 1, 32]);
});

Deno.test("syslog: frames count octets; as lines they have no control character but the last", () => {
  const message = utf8("<1>1 - - a - - - ä\nb\tc\0d\r");
  const counted = Buffer.from(frame(message, "octets"));
  assert.equal(counted.toString(), `${message.length} <1>1 - - a - - - ä\nb\tc\0d\r`);
  assert.equal(Buffer.from(frame(message, "lines")).toString(), "<1>1 - - a - - - ä#012b\tc#000d#015\n");
});

Deno.test("syslog: what is too long is refused, or its payload is cut between characters", async () => {
  await using sink = await startSink();
  const batch = deliveries({}, ["short", "ä".repeat(600), "after"].map(utf8));
  const refusing = await open({ port: sink.port, message_max: 1000, hostname: "h" });
  const { refused, again } = await refusing.send(batch, never());
  await refusing.close();
  assert.deepEqual([refused.map(({ delivery }) => delivery.position as number), again], [[1], []]);
  assert.match(refused[0]!.reason, /^too large: 12\d\d bytes as a syslog message, and message_max is 1000$/);
  const cutting = await open({ port: sink.port, message_max: 1000, too_large: "cut" });
  assert.deepEqual(await cutting.send(batch, never()), { refused: [], again: [] });
  await cutting.close();
  await sink.alone();
  const bodies = sink.frames().map((one) => parsed(one).text.toString());
  assert.deepEqual([bodies[0], bodies[1], bodies[2], bodies[4]], ["short", "after", "short", "after"]);
  assert.match(bodies[3]!, /^ä{300,499}$/);
  assert.ok(sink.frames().every(({ length }) => length <= 1000));
  const headers = await open({ port: sink.port, message_max: 480, too_large: "cut" });
  const [one] = deliveries({}, [utf8("x")]);
  const long = { ...one!, message: { ...one!.message, referrer: "r".repeat(600) } };
  assert.equal((await headers.send([long], never())).refused.length, 1);
  await headers.close();
});

Deno.test("syslog: options that make no sense are refused with what to do", async () => {
  const cases: [Partial<SyslogOptions>, RegExp][] = [
    [{ transport: "udp", framing: "lines" }, /udp has no framing/],
    [{ tls_ca: "/ca.pem" }, /set transport = "tls"/],
    [{ transport: "tls", tls_cert: "-----BEGIN" }, /need each other/],
  ];
  for (const [options, expected] of cases) await assert.rejects(open(options), expected);
  assert.throws(() => syslog.options.app_name.read("%user%"), /none of %topic%/);
  assert.equal(syslog.promise({ ...defaults(syslog.options), transport: "udp" }), "best effort");
});

Deno.test("syslog: the tail keeps what may not have been read, and no more", () => {
  const tail = new Tail(10);
  for (const [at, text] of ["aaaa", "bbbb", "cccc"].entries()) tail.add(utf8(text), at * 60_000);
  const kept = () => tail.pieces().map((piece) => new TextDecoder().decode(piece)).join(" ");
  assert.equal(kept(), "bbbb cccc");
  tail.end("broken", 121_000);
  assert.equal(kept(), "bbbb cccc");
  tail.end("closed", 121_000);
  tail.end("closed", 121_000);
  assert.equal(kept(), "cccc");
  tail.end("broken", 120_000 + 21 * 60_000);
  assert.deepEqual([kept(), tail.bytes], ["", 0]);
});

Deno.test("syslog P2: a server that reads nothing and dies had everything in its buffers; the next one gets it all, in order", async () => {
  await using sink = await startSink();
  const dir = `/nowhere-${places++}`;
  const notices: string[] = [];
  const to = { port: sink.port, timeout: 1000, resend_max: 16 << 20 };
  const all = deliveries({}, texts(0, 4000).map((text) => Buffer.concat([text, Buffer.alloc(4000, 0x20)])));
  sink.fallSilent();
  let adaptor = await open(to, { dir, notices });
  let at = 0;
  await assert.rejects(async () => {
    for (; at < all.length; at += 50) await adaptor.send(all.slice(at, at + 50), never());
  }, /no progress in 1000 ms/);
  await adaptor.close();
  assert.ok(at > 0);
  sink.reset();
  sink.received.length = 0;
  sink.listenAgain();
  adaptor = await open({ ...to, timeout: 30_000 }, { dir, notices });
  for (; at < all.length; at += 50) await adaptor.send(all.slice(at, at + 50), never());
  await adaptor.close();
  await sink.alone();
  const bodies = sink.frames().map((one) => parsed(one).text.toString());
  assert.deepEqual(bodies, all.map(({ body }) => Buffer.from(body).toString()));
  assert.match(
    notices.join(),
    /^the connection broke: the last \d+ bytes are sent again, as nobody says what of them was read$/,
  );
});

Deno.test("syslog: a server that goes while there is nothing to send gets what it may have lost as soon as it is back", async () => {
  await using sink = await startSink();
  const adaptor = await open({ port: sink.port });
  const all = deliveries({}, texts(0, 20));
  await adaptor.send(all, never());
  await eventually("the messages", () => sink.frames().length === 20);
  sink.reset();
  await eventually("the repeat", async () => {
    await adaptor.idle?.();
    return sink.frames().length === 40;
  });
  await adaptor.close();
  assert.equal(sink.connections, 2);
});

Deno.test("syslog: a connection that was closed in good order, long after the last message, costs no repeat", async () => {
  await using sink = await startSink();
  const dir = `/nowhere-${places++}`;
  for (let at = 0; at < 3; at++) {
    const adaptor = await open({ port: sink.port }, { dir });
    await adaptor.send(deliveries({}, texts(at, 1), at), never());
    await adaptor.close();
  }
  await eventually("the messages", () => sink.frames().length >= 3);
});

Deno.test("syslog: says who is not there", async () => {
  const sink = await startSink();
  const { port } = sink;
  await sink[Symbol.asyncDispose]();
  await assert.rejects(open({ port }), /Cannot connect to 127\.0\.0\.1:\d+: .*refused/i);
  await assert.rejects(open({ host: "nobody.invalid", port }), /Cannot connect to nobody\.invalid/);
  await assert.rejects(open({ host: "nobody.invalid", port, transport: "udp" }), /no such host/);
});

Deno.test("syslog over UDP: a datagram a message; too large for one is refused; nobody there is no trouble", async () => {
  const server = createSocket("udp4");
  const got: Buffer[] = [];
  server.on("message", (message) => got.push(message));
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", () => resolve()));
  const { port } = server.address();
  const adaptor = await open({ port, transport: "udp" });
  const sizes = [10, 70_000, 64_000, 0];
  const batch = deliveries({}, sizes.map((size) => new Uint8Array(size).fill(10)));
  const { refused } = await adaptor.send(batch, never());
  assert.deepEqual(refused.map(({ delivery }) => delivery.position as number), [1]);
  assert.match(refused[0]!.reason, /too large: 70\d\d\d bytes as a syslog message, and a datagram takes 65507/);
  await eventually("the datagrams", () => got.length === 3);
  assert.deepEqual(got.map((one) => parsed(one).text.length), [10, 64_000, 0]);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  for (let at = 0; at < 3; at++) {
    assert.deepEqual(await adaptor.send(deliveries({}, texts(0, 5)), never()), { refused: [], again: [] });
  }
  await adaptor.close();
  await adaptor.close();
});

/** Everything that servers have been known to stumble over, every level, and 64 KiB. */
const troublesome = [
  ...[...severities, "loud"].map((level) => ({ level, text: `at level ${level}` })),
  { level: "info", text: "two\nlines\r\nand\ta tab" },
  { level: "info", text: "\n<0>1 - - forged - - - a second message" },
  { level: "info", text: '11 <0>1 - - x ] " \\ %s #012' },
  { level: "info", text: "äöü €, 😀, \u202e" },
  { level: "info", text: "x".repeat(63_000) },
  { level: "info", text: "y".repeat(64 * 1024) },
  { level: "info", text: "" },
  { level: "info", text: "\0nul" },
  { level: "info", text: "\ufeffmarked" },
];

for (const server of ["rsyslog", "syslog-ng"] as const) {
  const lacks = await missing(server);
  const fact = (name: string, run: () => Promise<void>) =>
    Deno.test({ name: `syslog with ${server}: ${name}${lacks}`, ignore: lacks !== "", fn: run });

  for (const transport of ["tcp", "tls", "udp"] as const) {
    fact(`over ${transport} every message is understood, whatever is in it`, async () => {
      await using peer = await startSyslog(server);
      const fitting = troublesome.filter(({ text }) => transport !== "udp" || text.length < 64_000);
      const batch = fitting.map(({ level, text }, n) => {
        const [one] = deliveries({}, [utf8(text)], n);
        return { ...one!, message: { ...one!.message, level, type: "click" } };
      });
      const adaptor = await openTo(peer, transport, { facility: "local0", hostname: "host.example" });
      assert.deepEqual(await adaptor.send(batch, never()), { refused: [], again: [] });
      await adaptor.close();
      const logged = await eventually("the messages", async () => {
        const all = await peer.logged();
        return all.length >= batch.length && all;
      });
      assert.equal(logged.length, batch.length);
      for (const [n, { level, text }] of fitting.entries()) assertUnderstood(logged[n]!, { n, level, text });
    });
  }

  fact("over TCP, as lines, no payload makes a second message", async () => {
    await using peer = await startSyslog(server);
    const adaptor = await openTo(peer, "tcp", { framing: "lines", port: peer.ports.lines });
    const batch = deliveries({}, ["one\n<0>1 - - forged - - - two", "three\0\r\nfour", "five"].map(utf8));
    await adaptor.send(batch, never());
    await adaptor.close();
    const logged = await eventually("the messages", async () => {
      const all = await peer.logged();
      return all.length >= 3 && all;
    });
    assert.deepEqual(logged.map(({ text }) => text), [
      "one#012<0>1 - - forged - - - two",
      "three#000#015#012four",
      "five",
    ]);
  });

  fact(
    "a certificate that is not trusted, a wrong name, or none of ours where one is wanted: trouble that says so",
    async () => {
      await using peer = await startSyslog(server);
      const { client: { cert, key }, ca } = peer.certificates;
      const port = peer.ports.tls;
      const mine = { port, transport: "tls", tls_cert: cert, tls_key: key } as const;
      await assert.rejects(open(mine), /Cannot connect to 127\.0\.0\.1:\d+: .*(certificate|VERIFY)/i);
      await assert.rejects(
        open({ ...mine, tls_ca: ca, tls_server_name: "other.example" }),
        /altname|name|certificate/i,
      );
    },
  );

  fact("P2 P6: killed and started again in mid-stream it has every message it did not read, in order", async () => {
    await using peer = await startSyslog(server);
    const all = deliveries({}, texts(0, 6000));
    const dir = `/nowhere-${places++}`;
    let adaptor: Adaptor | undefined;
    for (let at = 0; at < all.length;) {
      try {
        adaptor ??= await openTo(peer, "tcp", { timeout: 3000 }, dir);
        await adaptor.send(all.slice(at, at + 100), never());
        at += 100;
        if (at === 2000) peer.freeze();
        if (at === 4000) {
          await peer.stop("SIGKILL");
          await peer.start();
        }
      } catch {
        await adaptor?.close();
        adaptor = undefined;
      }
    }
    await adaptor?.close();
    await eventually("every message", async () => {
      const there = new Set((await peer.logged()).map(({ text }) => text));
      return all.every(({ body }) => there.has(new TextDecoder().decode(body)));
    });
    const numbers = (await peer.logged()).map(({ text }) => JSON.parse(text).n as number);
    const firsts = [...new Set(numbers)];
    assert.deepEqual(firsts, firsts.toSorted((a, b) => a - b));
  });
}

function openTo(
  { ports, certificates }: Syslog,
  transport: "tcp" | "tls" | "udp",
  options: Partial<SyslogOptions> = {},
  dir?: string,
) {
  const { ca, client } = certificates;
  const tls = transport === "tls" ? { tls_ca: ca, tls_cert: client.cert, tls_key: client.key } : {};
  return open(
    { host: "localhost", port: ports[transport], transport, ...tls, ...options },
    dir === undefined ? {} : { dir },
  );
}

/** Servers write NUL in their own way, and one of them takes the mark of UTF-8 off. */
function assertUnderstood(logged: Logged, { n, level, text }: { n: number; level: string; text: string }): void {
  assert.equal(Number(logged.pri), 16 * 8 + severities.indexOf(severityOf(level, "info")));
  assert.deepEqual([logged.host, logged.app, logged.msgid], ["host.example", "t", "click"]);
  assert.equal(Date.parse(logged.time), 1_772_366_400_000);
  assert.ok(logged.data.includes(`id="9f3c01aa27de4410-1-${n}"`), logged.data);
  const plain = text.replace(/^\ufeff/, "");
  const expected = [text, plain, text.replaceAll("\0", "#000"), text.replaceAll("\0", "\\x00")];
  assert.ok(expected.includes(logged.text), JSON.stringify([logged.text, text]));
}
