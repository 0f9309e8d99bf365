import assert from "node:assert";
import { isTopicName, outgoing } from "../../../adaptors/kafka/wire.ts";
import { fieldTemplate } from "../../../adaptors/template.ts";
import { delivery } from "./delivery.ts";

Deno.test("a template takes the message's fields, and nothing for those it lacks", () => {
  const { message } = delivery(0, { topic: "web", env: "prod" });
  assert.equal(fieldTemplate("topic", "%topic%")(message), "web");
  assert.equal(fieldTemplate("topic", "%env%.%topic%-%level%.x")(message), "prod.web-.x");
  assert.equal(fieldTemplate("topic", "fixed")(message), "fixed");
});

Deno.test("a template with an unknown or open word is refused", () => {
  assert.throws(() => fieldTemplate("topic", "%user%"), /"%user%" is none of %topic%, %env%, %type%, %level%/);
  assert.throws(() => fieldTemplate("topic", "50%"), TypeError);
  assert.throws(() => fieldTemplate("topic", "%topic%%"), TypeError);
});

Deno.test("the names of Kafka's topics are 1 to 249 of its letters, and neither . nor ..", () => {
  for (const name of ["a", "A.b_c-9", "x".repeat(249), "..."]) assert.ok(isTopicName(name));
  for (const name of ["", ".", "..", "x".repeat(250), "a b", "ä", "a/b", "%env%"]) assert.ok(!isTopicName(name));
});

Deno.test("the fields that are present become headers; the topic only where the template changed it", () => {
  const given = delivery(7, { topic: "web", env: "prod", userAgent: "ü", key: "k" });
  const named = (topic: string, headers: "all" | "id" | "none") =>
    [...outgoing(given, topic, headers).headers].map(([name, value]) => `${name}=${value}`);
  assert.deepEqual(named("web", "all"), ["id=n-1-7", "timestamp=1007", "env=prod", "user_agent=ü"]);
  assert.deepEqual(named("prod.web", "all"), ["id=n-1-7", "timestamp=1007", "topic=web", "env=prod", "user_agent=ü"]);
  assert.deepEqual(named("web", "id"), ["id=n-1-7"]);
  assert.deepEqual(named("web", "none"), []);
});

Deno.test("key, time and body are kept; no key is not an empty key", () => {
  const { key, value, timestamp } = outgoing(delivery(3, { key: "ä", body: [0, 255] }), "t", "all");
  assert.deepEqual([[...key!], [...value], timestamp], [[0xc3, 0xa4], [0, 255], 1003n]);
  assert.equal(outgoing(delivery(3, {}), "t", "all").key, undefined);
  assert.equal(outgoing(delivery(3, { key: "" }), "t", "all").key!.length, 0);
});
