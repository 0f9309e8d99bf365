/** CloudEvents sent by their SDK for JavaScript, over the wire, as a destination gets them. */
import assert from "node:assert";
import { CloudEvent, type CloudEventV1, emitterFor, HTTP, httpTransport, Mode } from "cloudevents";
import { startNode } from "./node.ts";
import { arrived } from "./output.ts";

/** Attributes by name, with the time as a moment: a sender may write it in other words. */
function attributesOf(event: CloudEventV1<unknown>): Record<string, unknown> {
  const { data, ...rest } = JSON.parse(JSON.stringify(event));
  return { ...rest, time: Date.parse(rest.time), data: JSON.stringify(data) };
}

Deno.test("M1.7: the SDK's events arrive, in each of its modes", async () => {
  await using node = await startNode();
  const sink = httpTransport(`http://${node.http}/log`);
  for (const mode of [Mode.BINARY, Mode.STRUCTURED]) {
    const event = new CloudEvent({ id: mode, type: "t", source: "/s", topic: "events", ext: "x", data: { mode } });
    const answer = await emitterFor(sink, { mode })(event);
    assert.ok(answer);
  }
  const batch = ["one", "two"].map((id) =>
    new CloudEvent({ id, type: "t", source: "/s", ext: "x", data: { mode: id } })
  );
  const headers = { "content-type": "application/cloudevents-batch+json" };
  const url = `http://${node.http}/log?topic=events`;
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(batch) });
  assert.equal(answer.status, 204);
  const messages = await arrived(`${node.dir}/data/out`, "events", 4);
  const modes = ["binary", "structured", "one", "two"];
  assert.deepEqual(messages.map(({ data }) => data), modes.map((mode) => JSON.stringify({ mode })));
  assert.deepEqual(messages.map(({ fields }) => fields.id), modes);
  for (const { fields } of messages) {
    const { specversion, source, ext } = fields.attributes as Record<string, string>;
    assert.deepEqual([fields.type, specversion, source, ext], ["t", "1.0", "/s", "x"]);
    assert.ok(fields.submitted_timestamp);
  }
});

Deno.test("M1.7: what goes out in format cloudevents is, for the SDK, the event that came in", async () => {
  const config = '[[destination]]\nname = "out"\nkind = "file"\nformat = "cloudevents"\n';
  await using node = await startNode({ config });
  const sink = httpTransport(`http://${node.http}/log`);
  const given = {
    ...{ type: "com.example.added", source: "/shop", subject: "cart", dataschema: "https://example.com/s" },
    ...{ topic: "events", partitionkey: "k", level: "info", time: "2026-03-01T12:00:00.000Z" },
    ...{ traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ext: "Zo\u00eb" },
    ...{ datacontenttype: "application/json", data: { n: 1 } },
  };
  const events = [Mode.STRUCTURED, Mode.BINARY].map((mode) => new CloudEvent({ ...given, id: mode, ext: mode }));
  events.push(new CloudEvent({ ...given, id: "\u2603 is no id of ours" }));
  for (const event of events) {
    await emitterFor(sink, { mode: event.id === "binary" ? Mode.BINARY : Mode.STRUCTURED })(event);
  }
  const lines = await arrived(`${node.dir}/data/out`, "events", events.length);
  const headers = { "content-type": "application/cloudevents+json" };
  for (const [i, { line }] of lines.entries()) {
    const event = HTTP.toEvent({ headers, body: line }) as CloudEventV1<unknown>;
    const found = attributesOf(event);
    assert.deepEqual({ ...found, ...attributesOf(events[i]!) }, found);
  }
});
