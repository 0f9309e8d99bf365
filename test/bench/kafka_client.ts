/** A program: the bare Kafka client, which has nothing to keep, nobody to answer and all messages at hand. Prints messages a second. */
import { Producer, stringSerializers } from "@platformatic/kafka";
import { lines } from "./body.ts";

const [broker, topic] = Deno.args;
const warmUpMessages = 200_000;
const measuredMessages = 800_000;
/** As many as a destination gets at once by default. */
const atOnce = 5_000;

const values = lines(atOnce).trimEnd().split("\n");
const producer = new Producer({
  clientId: "bare",
  bootstrapBrokers: [broker!],
  serializers: stringSerializers,
  acks: -1,
  idempotent: true,
});
const messages = values.map((value, number) => ({ topic: topic!, value, partition: Math.floor(number * 3 / atOnce) }));

async function send(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += atOnce) await producer.send({ messages });
}

await send(warmUpMessages);
const begin = performance.now();
await send(measuredMessages);
console.log(measuredMessages / (performance.now() - begin) * 1000);
await producer.close();
