import assert from "node:assert/strict";
import fc from "fast-check";
import { Subscriptions } from "../../src/zmtp/subscriptions.ts";
import { bytesOf } from "./dialogue.ts";

const wants = (wanted: Subscriptions, text: string) => wanted.wants(bytesOf(text), 0, bytesOf(text).length);

Deno.test("RFC 29: nobody gets anything without a subscription, and everything with the empty one", () => {
  const wanted = new Subscriptions();
  assert.deepEqual([wanted.any, wanted.all, wants(wanted, ""), wants(wanted, "a")], [false, false, false, false]);
  wanted.add(new Uint8Array(0));
  assert.deepEqual([wanted.any, wanted.all, wants(wanted, ""), wants(wanted, "a")], [true, true, true, true]);
});

Deno.test("RFC 29: a subscription counts as often as it was made", () => {
  const wanted = new Subscriptions();
  wanted.add(bytesOf("a"));
  wanted.add(bytesOf("a"));
  wanted.cancel(bytesOf("a"));
  wanted.cancel(bytesOf("b"));
  assert.ok(wants(wanted, "abc"));
  wanted.cancel(bytesOf("a"));
  assert.ok(!wants(wanted, "abc") && !wanted.any);
});

Deno.test("a message is wanted exactly when it begins with what was subscribed to", () => {
  const short = fc.array(fc.constantFrom(0, 97, 98, 255), { maxLength: 4 }).map((bytes) => Uint8Array.from(bytes));
  const step = fc.record({ prefix: short, add: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), fc.array(short, { maxLength: 10 }), (steps, messages) => {
    const wanted = new Subscriptions();
    const counts = new Map<string, number>();
    for (const { prefix, add } of steps) {
      const count = (counts.get(prefix.join()) ?? 0) + (add ? 1 : -1);
      counts.set(prefix.join(), Math.max(0, count));
      if (add) wanted.add(prefix);
      else wanted.cancel(prefix);
    }
    const live = steps.map(({ prefix }) => prefix).filter((prefix) => counts.get(prefix.join())! > 0);
    for (const message of messages) {
      const expected = live.some((prefix) => prefix.every((byte, i) => byte === message[i]));
      const around = Uint8Array.of(98, ...message, 97);
      assert.equal(wanted.wants(around, 1, 1 + message.length), expected);
    }
  }));
});

Deno.test("subscriptions are bounded in number and in bytes", () => {
  const few = new Subscriptions({ count: 2, bytes: 1000 });
  assert.equal(few.add(bytesOf("a")) ?? few.add(bytesOf("b")) ?? few.add(bytesOf("a")), undefined);
  assert.equal(few.add(bytesOf("c"))?.code, "too-many");
  const short = new Subscriptions({ count: 100, bytes: 10 });
  assert.equal(short.add(bytesOf("123456789a")), undefined);
  assert.equal(short.add(bytesOf("b"))?.code, "too-many");
});
