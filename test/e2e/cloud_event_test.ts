/** CloudEvents sent by their SDK for JavaScript, over the wire, as a destination gets them. */
import assert from "node:assert";
import { CloudEvent, emitterFor, httpTransport, Mode } from "cloudevents";
import { startNode } from "./node.ts";
import { arrived } from "./output.ts";

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
