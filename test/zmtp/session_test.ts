import assert from "node:assert/strict";
import fc from "fast-check";
import { commandOf, errorCommand, readyCommand } from "../../src/zmtp/command.ts";
import { command, long, messageOf, more, putHead } from "../../src/zmtp/frame.ts";
import { greeting } from "../../src/zmtp/greeting.ts";
import { bytesOf, Dialogue, hello, joined, property } from "./dialogue.ts";

const refusalAfter = (...pieces: Uint8Array[]) => new Dialogue("PULL").hear(...pieces).refusal?.detail;
const frame = (flags: number, body: Uint8Array) => {
  const bytes = new Uint8Array(9 + body.length);
  const at = putHead(bytes, 0, flags, body.length);
  bytes.set(body, at);
  return bytes.subarray(0, at + body.length);
};

Deno.test("RFC 23: the greeting is a signature, 3.1, NULL and zeros, and goes out first", () => {
  const { sent } = new Dialogue("PULL");
  const expected = new Uint8Array(64);
  expected.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1, ...bytesOf("NULL")]);
  assert.deepEqual(sent, [expected]);
});

Deno.test("RFC 23: after the peer's greeting comes our READY, after its READY come messages", () => {
  const dialogue = new Dialogue("PULL").hear(hello("PUSH"), messageOf([bytesOf("one")]));
  assert.deepEqual(dialogue.sent[1], readyCommand("PULL"));
  assert.deepEqual(
    dialogue.sent[1],
    joined(Uint8Array.of(4, 26, 5), bytesOf("READY"), property("Socket-Type", "PULL")),
  );
  assert.deepEqual(dialogue.session.peer, { type: "PUSH", minor: 1 });
  assert.deepEqual(dialogue.messages, [[bytesOf("one")]]);
});

Deno.test("RFC 23: whatever way the bytes are cut, the same messages come out", () => {
  const message = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(fc.array(message, { maxLength: 8 }), fc.array(fc.nat(5000), { maxLength: 20 }), (all, cuts) => {
    const bytes = joined(hello("PUSH"), ...all.map(messageOf));
    const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
    const dialogue = new Dialogue("PULL");
    for (let i = 1; i < places.length; i++) dialogue.hear(bytes.slice(places[i - 1], places[i]));
    assert.deepEqual(dialogue.refusal, undefined);
    assert.deepEqual(dialogue.messages, all);
    assert.equal(dialogue.waiting, 0);
  }));
});

Deno.test("hostile bytes never throw, before and after the handshake", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), fc.boolean(), fc.boolean(), (bytes, shaken, greeted) => {
    const dialogue = new Dialogue("PUB");
    if (shaken) dialogue.hear(hello("SUB"));
    else if (greeted) dialogue.hear(greeting());
    dialogue.hear(bytes);
    assert.ok(dialogue.refusal !== undefined || dialogue.waiting <= bytes.length);
  }));
});

Deno.test("mutated conversations never throw", () => {
  const conversation = joined(
    hello("SUB"),
    commandOf("SUBSCRIBE", bytesOf("web.")),
    commandOf("PING", Uint8Array.of(0, 10, 1, 2, 3)),
    messageOf([bytesOf("\u0001web")]),
    messageOf([bytesOf("x".repeat(300)), bytesOf("y")]),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(conversation.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
      const bytes = conversation.slice();
      for (const [at, value] of changes) bytes[at] = value;
      const whole = new Dialogue("PUB").hear(bytes);
      const cut = new Dialogue("PUB").hear(...Array.from(bytes, (byte) => Uint8Array.of(byte)));
      assert.deepEqual(cut.refusal, whole.refusal);
      assert.deepEqual(cut.subscriptions, whole.subscriptions);
    }),
  );
});

Deno.test("what is no ZMTP is refused with its first wrong byte", () => {
  assert.equal(refusalAfter(bytesOf("G")), "it does not speak ZMTP");
  assert.equal(
    refusalAfter(joined(Uint8Array.of(0xff), new Uint8Array(8), Uint8Array.of(0x7e))),
    "it does not speak ZMTP",
  );
  const old = joined(Uint8Array.of(0xff), new Uint8Array(8), Uint8Array.of(0x7f, 1));
  assert.equal(refusalAfter(old), "it speaks ZMTP before 3.0, which ended with libzmq 3");
});

Deno.test("half a greeting is waited for, and another mechanism refused", () => {
  assert.equal(refusalAfter(greeting().subarray(0, 63)), undefined);
  const other = greeting();
  other.set(bytesOf("PLAIN"), 12);
  assert.equal(refusalAfter(other), "it wants another mechanism than NULL");
  other.set(bytesOf("NULLX"), 12);
  assert.equal(refusalAfter(other), "it wants another mechanism than NULL");
});

Deno.test("RFC 23: a handshake that is none is refused", () => {
  const after = (...pieces: Uint8Array[]) => refusalAfter(greeting(), ...pieces);
  assert.equal(after(commandOf("READY", new Uint8Array(0))), "its READY names no Socket-Type");
  assert.equal(after(commandOf("READY", property("Socket-Type", "PUSHER"))), "its READY names an unknown Socket-Type");
  assert.equal(after(commandOf("READY", Uint8Array.of(11, 1, 2))), "its READY breaks off");
  assert.equal(after(commandOf("READY", joined(property("a", "b"), Uint8Array.of(0)))), "its READY breaks off");
  assert.equal(after(commandOf("HELLO", new Uint8Array(0))), "it begins with another command than READY");
  assert.equal(after(errorCommand("no")), "it refused us with an ERROR");
  assert.equal(after(messageOf([bytesOf("early")])), "it sends messages before its READY");
  assert.equal(after(frame(command, new Uint8Array(0))), "its command has no name");
  assert.equal(after(frame(command, Uint8Array.of(9, 65))), "its command has no name");
  assert.equal(after(commandOf("READY", property("socket-TYPE", "PUSH"))), undefined);
});

Deno.test("RFC 28 to 30: who does not fit is told with an ERROR", () => {
  const dialogue = new Dialogue("PULL").hear(hello("SUB"));
  assert.equal(dialogue.refusal?.detail, "it is a SUB, to which a PULL does not talk");
  assert.deepEqual(dialogue.sent.at(-1), errorCommand("a PULL does not talk to a SUB"));
});

Deno.test("too long frames are refused by their head, before a byte of them has come", () => {
  const after = (...pieces: Uint8Array[]) => refusalAfter(hello("PUSH"), ...pieces);
  const head = (length: number) => {
    const bytes = new Uint8Array(9);
    putHead(bytes, 0, 0, length);
    return bytes;
  };
  assert.equal(after(head(2 ** 31)), "its message is too long");
  assert.equal(after(Uint8Array.of(long, ...new Uint8Array(8).fill(0xff))), "its message is too long");
  assert.equal(after(head(1024 * 1024)), undefined);
  assert.equal(after(head(1024 * 1024 + 1)), "its message is too long");
  assert.equal(after(Uint8Array.of(command | long, 0, 0, 0, 0, 0, 1, 0, 1)), "its message is too long");
});

Deno.test("the frames of a message together are no longer than one may be, and not without end", () => {
  const limits = { frameBytes: 100, parts: 4 };
  const after = (...pieces: Uint8Array[]) =>
    new Dialogue("PULL", limits).hear(hello("PUSH"), ...pieces).refusal?.detail;
  assert.equal(after(frame(more, new Uint8Array(60)), frame(0, new Uint8Array(40))), undefined);
  assert.equal(after(frame(more, new Uint8Array(60)), frame(0, new Uint8Array(41))), "its message is too long");
  const empty = frame(more, new Uint8Array(0));
  assert.equal(after(empty, empty, empty, frame(0, new Uint8Array(0))), undefined);
  assert.equal(after(empty, empty, empty, empty), "its message has too many parts");
});

Deno.test("RFC 23: frames that no traffic has are refused", () => {
  const after = (...pieces: Uint8Array[]) => refusalAfter(hello("PUSH"), ...pieces);
  assert.equal(after(frame(8, bytesOf("x"))), "its frame has flags that nobody knows");
  assert.equal(after(frame(command | more, bytesOf("\u0004PING"))), "its command says that more follows");
  assert.equal(
    after(frame(more, bytesOf("x")), commandOf("PING", new Uint8Array(2))),
    "its command stands inside a message",
  );
  assert.equal(after(hello("PUSH").subarray(64)), "it says READY twice");
  assert.equal(after(errorCommand("enough")), "it gave up with an ERROR");
  assert.equal(after(commandOf("NEWS", bytesOf("what is this"))), undefined);
});

Deno.test("RFC 37: PING is answered with its context, 16 bytes of it at most", () => {
  const dialogue = new Dialogue("PULL").hear(hello("PUSH"));
  dialogue.hear(commandOf("PING", joined(Uint8Array.of(0, 50), bytesOf("context"))));
  dialogue.hear(commandOf("PING", joined(Uint8Array.of(0, 50), bytesOf("0123456789abcdefXXX"))));
  dialogue.hear(commandOf("PING", Uint8Array.of(0)));
  assert.deepEqual(dialogue.sent.slice(2), [
    commandOf("PONG", bytesOf("context")),
    commandOf("PONG", bytesOf("0123456789abcdef")),
    commandOf("PONG", new Uint8Array(0)),
  ]);
});

Deno.test("RFC 23 and 37: subscriptions come as messages or as commands; other messages to a publisher are passed over", () => {
  const dialogue = new Dialogue("PUB").hear(
    hello("SUB"),
    messageOf([bytesOf("\u0001a")]),
    commandOf("SUBSCRIBE", bytesOf("b")),
    messageOf([bytesOf("\u0000a")]),
    commandOf("CANCEL", bytesOf("b")),
    messageOf([bytesOf("\u0001x"), bytesOf("y")]),
    messageOf([bytesOf("hello")]),
    messageOf([new Uint8Array(0)]),
  );
  assert.equal(dialogue.refusal, undefined);
  assert.deepEqual(dialogue.subscriptions, ["+a", "+b", "-a", "-b"]);
});
