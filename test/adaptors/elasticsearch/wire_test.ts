import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { badIndex, documentOf, indexTemplate } from "../../../adaptors/elasticsearch/wire.ts";
import type { Delivery } from "../../../src/deliver/adaptor.ts";
import type { Position } from "../../../src/log/mod.ts";
import { formatter } from "../../../src/message/format.ts";
import type { Message } from "../../../src/message/message.ts";

const message = (more: Partial<Message> = {}): Message => ({
  topic: "t",
  timestamp: Date.UTC(2026, 2, 1),
  data: Buffer.from("1"),
  dataIsJson: true,
  ...more,
});

Deno.test("Elasticsearch: a template that is no name is refused with what is expected", () => {
  for (const bad of ["", "Logs", "-a", "_a-%topic%", ".a", "a b", "a/%topic%", "a*", "%nope%", "a-%topic", "ä"]) {
    assert.throws(() => indexTemplate(bad), TypeError, bad);
  }
  assert.equal(indexTemplate("logs-%topic%-%env%")(message({ topic: "Web.A" })), "logs-web.a-default");
  assert.equal(indexTemplate("%type%_%level%-%date%")(message({ type: "x/Y" })), "x_y_default-2026.03.01");
});

Deno.test("Elasticsearch: a value cannot make a name that means something else", () => {
  const name = indexTemplate("%env%");
  for (const env of ["-a", "_all", "..", "+x"]) assert.ok(badIndex(name(message({ env }))), env);
  assert.equal(badIndex(name(message({ env: "a,b*" }))), undefined);
  assert.equal(name(message({ env: "a,b*" })), "a_b_");
  assert.match(badIndex("a".repeat(256))!, /longer than 255/);
});

Deno.test("Elasticsearch: whatever the format and the payload, a document is two lines of JSON", () => {
  const payloads: Partial<Message>[] = [
    ...["null", "{}", "[1,\n2]", '"\\n"', ' {"a":1} ', '{"a":\r\n1}'].map((text) => ({ data: Buffer.from(text) })),
    ...["", "a\nb", "{", "{}\n{}", "\u2028", '{"create":{}}\n{"x":1}'].map((text) => ({
      data: Buffer.from(text),
      dataIsJson: false,
    })),
    { data: Buffer.from([0xff, 10, 13, 0]), dataIsJson: false },
    { level: "a\nb", env: '"\\', cookies: '{\n"a":"b"}', attributes: '{"x":\n1}', schema: "s\n" },
  ];
  const formats = ["json", "json-v2", "raw", "cloudevents", "plain ' '", "binary"];
  for (const format of formats) {
    const body = formatter(format);
    for (const [n, given] of payloads.entries()) {
      for (const [ecs, asText] of [[false, false], [false, true], [true, false], [true, true]] as const) {
        const one = message(given);
        const id = 'i"d';
        const delivery: Delivery = { id, position: n as Position, message: one, body: body(one, id) };
        const { lines } = documentOf(delivery, "a", { indexOf: () => "a", ecs, asText });
        const [action, source, ...rest] = Buffer.from(lines).toString().split("\n");
        assert.deepEqual([JSON.parse(action!), rest], [{ create: { _index: "a", _id: id } }, [""]]);
        assert.equal(typeof JSON.parse(source!), "object", `${format} ${n} ${ecs} ${asText}: ${source}`);
        assert.ok(!source!.includes("\r"));
      }
    }
  }
});
