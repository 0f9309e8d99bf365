/** Kafka: one record a message, acknowledged by all replicas that are in sync. */
import { adaptor } from "../../src/deliver/adaptor.ts";
import { choice, duration, flag, list, optional, type Options, secret, size, text } from "../../src/config/options.ts";
import { contentTypeOf as contentTypesOf } from "../../src/message/format.ts";
import type { Clock, World } from "../../src/os/world.ts";
import { pemOf } from "../pem.ts";
import { fieldTemplate, keyTemplate } from "../template.ts";
import { type Access, makeClient } from "./client.ts";
import { sendBatch } from "./sender.ts";

const options = {
  brokers: list('brokers to ask first, as "host:port"; the others are learnt from them'),
  topic: text("Kafka topic: a text with %topic%, %env%, %type%, %level%", "%topic%"),
  key: text(
    "key of the record, which chooses the partition: a text with %key%, %topic%, %env%, %type%, %level%",
    "%key%",
  ),
  create_topics: flag("create missing topics, with the brokers' defaults for partitions and replicas"),
  headers: choice(
    "fields sent as record headers, besides being in the value as the format has them; all of them cost more than the rest",
    ["all", "id", "none"],
    "id",
  ),
  compression: choice("how batches are compressed", ["none", "gzip", "snappy", "lz4", "zstd"], "none"),
  message_max: size(
    "largest record and batch before compression; not above the brokers' message.max.bytes",
    "1MiB",
    1024,
  ),
  timeout: duration("how long a batch may take, repeats included, before the connection is made anew", "30s"),
  client_id: text("name shown in the brokers' logs and quotas", "sparkngin"),
  tls: flag("talk TLS"),
  tls_ca: optional(text("certificate authority of the brokers: a file, or the PEM text itself")),
  tls_server_name: optional(text("name to expect in the brokers' certificate, if not their host name")),
  sasl: choice("how to log in", ["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], "none"),
  username: optional(text("for sasl")),
  password: secret(optional(text("for sasl"))),
};
type KafkaOptions = Options<typeof options>;

export default adaptor({
  summary: "Kafka: one record a message, acknowledged by all replicas in sync",
  promise: () => "confirmed",
  options,

  async open(options, place, signal) {
    const topicOf = fieldTemplate("topic", options.topic);
    const keyOf = keyTemplate("key", options.key);
    const { clock } = place.world;
    const access = accessOf(options, place.world, (text) => place.notice(text));
    const limit = { clock, signal, timeoutMs: options.timeout, what: "connect to Kafka" };
    const client = await makeClient(access);
    await within(limit, () => client.connect(), () => client.close());
    const contentTypeOf = contentTypesOf(place.format ?? "json");
    const plan = { topicOf, keyOf, contentTypeOf, headers: options.headers, messageBytesMax: options.message_max };
    return {
      async send(batch, signal) {
        if (client.closed) throw new Error("Cannot send to Kafka: the connection is closed");
        const limit = { clock, signal, timeoutMs: options.timeout, what: "send to Kafka" };
        return await within(limit, () => sendBatch(batch, client, plan), () => client.close());
      },
      close: () => client.close(),
    };
  },
});

function accessOf(options: KafkaOptions, world: World, notice: Access["notice"]): Access {
  const { client_id, compression, create_topics, timeout } = options;
  return {
    ...{ compression, notice, clientId: client_id, createTopics: create_topics, timeoutMs: timeout },
    brokers: rotated(options.brokers, world.random),
    clock: world.clock,
    sasl: saslOf(options),
    tls: options.tls ? { ca: pemOf(options.tls_ca, world.files), servername: options.tls_server_name } : undefined,
  };
}

/** Not always the same first: should that one hang, the next opening begins at another. */
function rotated(brokers: readonly string[], random: () => number): readonly string[] {
  if (brokers.length === 0) throw new TypeError("Cannot connect to Kafka: brokers is empty");
  const first = Math.floor(random() * brokers.length);
  return [...brokers.slice(first), ...brokers.slice(0, first)];
}

function saslOf({ sasl, username, password }: KafkaOptions): Access["sasl"] {
  if (sasl === "none") return undefined;
  if (username === undefined || password === undefined) {
    throw new TypeError(`Cannot connect to Kafka: sasl = "${sasl}" needs username and password`);
  }
  return { mechanism: sasl, username, password };
}

interface Limit {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly what: string;
}

/** When the time is over or `signal` aborts, `cut` makes the work settle; if it does not soon, this rejects without it. */
async function within<T>(limit: Limit, work: () => Promise<T>, cut: () => void): Promise<T> {
  const { clock, signal, timeoutMs, what } = limit;
  signal.throwIfAborted();
  const done = new AbortController();
  const tooLong = async (): Promise<never> => {
    await clock.sleep(timeoutMs, AbortSignal.any([signal, done.signal]));
    if (!done.signal.aborted) cut();
    await clock.sleep(settleMs, done.signal);
    throw new Error(`Cannot ${what}: ${signal.aborted ? "told to stop" : `no answer within ${timeoutMs} ms`}`);
  };
  try {
    return await Promise.race([work(), tooLong()]);
  } finally {
    done.abort();
  }
}

const settleMs = 500;
