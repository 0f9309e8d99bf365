/** The Kafka adaptor against real brokers. One node serves most tests; what kills nodes has its own. */
import assert from "node:assert";
import { Buffer } from "node:buffer";
import kafkaAdaptor from "../../adaptors/kafka/mod.ts";
import type { Adaptor, Delivery, Result } from "../../src/deliver/adaptor.ts";
import { eventually, hangMs } from "../e2e/waiting.ts";
import { type Kafka, missing, startKafka } from "../services/kafka.ts";
import { examine, type Examinee } from "./contract.ts";
import {
  assertAscending,
  assertTaken,
  byId,
  firsts,
  type KafkaOptions,
  numbered,
  numberOf,
  open as openAt,
  type Opening,
  send,
  world,
} from "./kafka/sending.ts";

const lacks = missing();
let kafka: Kafka;

if (lacks === "") {
  Deno.test.beforeAll(async () => {
    // Frozen for some seconds, and asked at once when it goes on: as long as it is not missed it leads its topics still.
    const properties = { "group.initial.rebalance.delay.ms": "0", "broker.session.timeout.ms": "60000" };
    kafka = await startKafka({ secure: true, properties });
  });
  Deno.test.afterAll(() => kafka.stop());
}

examine("Kafka", kafkaAdaptor, begin, lacks === "" ? {} : { needs: "Java" });

let topics = 0;

/** A topic of one partition, so that there is one order. Its broker dies by freezing: that takes no time to mend. */
async function begin(): Promise<Examinee> {
  const topic = `exam-${topics++}`;
  await kafka.createTopic(topic);
  return {
    topic,
    async open(_, signal) {
      kafka.thaw(0);
      return await open({ timeout: 5000 }, { signal });
    },
    bodies: async () => (await kafka.read(topic)).map(({ value }) => value),
    ids: async () => (await kafka.read(topic)).map(({ headers }) => headers.get("id")!),
    breakMidBatch: () => kafka.freeze(0),
    fallSilent: () => kafka.freeze(0),
    leave: async () => kafka.thaw(0),
  };
}

function fact(name: string, run: () => Promise<void>): void {
  Deno.test({ name: name + lacks, ignore: lacks !== "", fn: run });
}

fact("Kafka P6: every message arrives, byte for byte, with key, time and headers", async () => {
  await kafka.createTopic("all", { partitions: 3 });
  const bodies = [
    new Uint8Array(),
    new Uint8Array([0, 255, 10, 13, 0xc3, 0x28]),
    crypto.getRandomValues(new Uint8Array(60_000)),
  ];
  const batch = numbered(200, "all", (i) => ({ key: i % 2 ? `key-${i % 7}` : undefined, body: bodies[i % 3]! }));
  const result = await sendOnce({ headers: "all" }, batch);
  assert.deepEqual([result.refused, result.again, result.trouble], [[], [], undefined]);
  assert.match(result.receipt!, /^all:\d@\d+/);
  const received = byId(await kafka.read("all"));
  assert.equal(received.size, 200);
  for (const { id, message, body } of batch) {
    const { value, key, timestamp, headers } = received.get(id)!;
    assert.ok(Buffer.from(body).equals(value));
    assert.equal(key && new TextDecoder().decode(key), message.key);
    assert.equal(timestamp, message.timestamp);
    assert.deepEqual(Object.fromEntries(headers), {
      id,
      timestamp: String(message.timestamp),
      "content-type": "application/json",
      submitted_timestamp: "2026-01-02T03:04:05Z",
      env: "prod",
      version: "1.0",
      type: "click",
      level: "info",
      ip: "10.0.0.1",
      peer_ip: "10.0.0.2",
      referrer: "http://x.example/ä",
      user_agent: "curl/8",
    });
  }
});

fact("Kafka P7: messages of one key are in one partition, in order, across batches", async () => {
  await kafka.createTopic("order", { partitions: 4 });
  const batches = Array.from({ length: 5 }, (_, b) => numbered(300, "order", (i) => ({ key: `k${i % 11}` }), b * 300));
  await withAdaptor({ message_max: 4096 }, async (adaptor) => {
    for (const batch of batches) assertTaken(await send(adaptor, batch));
  });
  const received = await kafka.read("order");
  assert.equal(received.length, 1500);
  for (const sameKey of Map.groupBy(received, ({ key }) => String(key)).values()) {
    assert.equal(new Set(sameKey.map(({ partition }) => partition)).size, 1);
    assertAscending(sameKey.map(numberOf));
  }
});

fact("Kafka: keys go to the partitions that librdkafka's Java-compatible partitioner chooses", async () => {
  await kafka.createTopic("ours", { partitions: 12 });
  await kafka.createTopic("theirs", { partitions: 12 });
  const keys = Array.from({ length: 400 }, (_, i) => `${"äx€-".repeat(i % 9)}${i}`);
  assertTaken(await sendOnce({}, numbered(400, "ours", (i) => ({ key: keys[i] }))));
  await kafka.write("theirs", keys.map((key) => `${key}\tv`));
  const partitions = async (topic: string) =>
    Object.fromEntries((await kafka.read(topic)).map(({ key, partition }) => [String(key), partition]));
  assert.deepEqual(await partitions("ours"), await partitions("theirs"));
});

fact("Kafka: a key made by template chooses the partition; the message's own is a header then", async () => {
  await kafka.createTopic("keyed", { partitions: 4 });
  assertTaken(
    await sendOnce({ key: "%env%.%type%", headers: "all" }, numbered(40, "keyed", (i) => ({ key: `k${i}` }))),
  );
  const received = await kafka.read("keyed");
  assert.deepEqual([new Set(received.map(({ key }) => String(key))), received.length], [new Set(["prod.click"]), 40]);
  assert.deepEqual(received.map(({ headers }) => headers.get("key")), received.map((_, i) => `k${i}`));
  assert.equal(new Set(received.map(({ partition }) => partition)).size, 1);
});

fact(
  "Kafka P6: messages without a key take turns among partitions, and sent again go where they went before",
  async () => {
    await kafka.createTopic("keyless", { partitions: 3 });
    const sendAll = (adaptor: Adaptor, from: number, count: number) =>
      send(adaptor, numbered(count, "keyless", () => ({}), from)).then(assertTaken);
    await withAdaptor({}, async (adaptor) => {
      await sendAll(adaptor, 0, 100);
      await sendAll(adaptor, 100, 140);
    });
    // As after a crash before the cursor was saved: from an earlier position, cut elsewhere, by a new connection.
    await withAdaptor({}, (adaptor) => sendAll(adaptor, 30, 250));
    const partitions = [...Map.groupBy(await kafka.read("keyless"), ({ partition }) => partition).values()];
    assert.deepEqual(
      partitions.map((messages) => new Set(messages.map(numberOf)).size).toSorted(),
      [128, 64, 88].toSorted(),
    );
    for (const messages of partitions) assertAscending(firsts(messages.map(numberOf)));
    const numbers = partitions.flatMap((messages) => [...new Set(messages.map(numberOf))]);
    assert.equal(new Set(numbers).size, numbers.length, "a message is in two partitions");
  },
);

for (const compression of ["gzip", "snappy", "lz4", "zstd"] as const) {
  fact(`Kafka: ${compression} is read back by others`, async () => {
    await kafka.createTopic(compression);
    assertTaken(await sendOnce({ compression }, numbered(50, compression)));
    assert.deepEqual((await kafka.read(compression)).map(numberOf), Array.from({ length: 50 }, (_, i) => i));
  });
}

fact(
  "Kafka: a message too large for the brokers is refused alone; its neighbours arrive once and in order",
  async () => {
    await kafka.createTopic("narrow", { configs: { "max.message.bytes": "20000" } });
    const large = new Set([0, 37, 38, 99]);
    const batch = numbered(100, "narrow", (i) => ({ key: "k", body: new Uint8Array(large.has(i) ? 30_000 : 200) }));
    const { refused, again } = await sendOnce({}, batch);
    assert.deepEqual(refused.map(({ delivery }) => delivery.position), [...large]);
    assert.match(refused[0]!.reason, /larger than|too large/i);
    assert.deepEqual(again, []);
    const expected = batch.map((_, i) => i).filter((i) => !large.has(i));
    assert.deepEqual((await kafka.read("narrow")).map(numberOf), expected);
  },
);

fact("Kafka: a message above message_max is refused without asking the brokers", async () => {
  await kafka.createTopic("limit");
  const batch = numbered(3, "limit", (i) => ({ body: new Uint8Array(i === 1 ? 3000 : 10) }));
  const { refused, again } = await sendOnce({ message_max: 2048 }, batch);
  assert.deepEqual(refused.map(({ delivery }) => delivery.position), [1]);
  assert.match(refused[0]!.reason, /message_max is 2048/);
  assert.deepEqual(again, []);
});

fact("Kafka: what the broker's rules refuse is refused alone", async () => {
  await kafka.createTopic("compacted", { configs: { "cleanup.policy": "compact" } });
  const batch = numbered(40, "compacted", (i) => ({ key: i % 10 === 3 ? undefined : "k" }));
  const { refused, again } = await sendOnce({}, batch);
  assert.deepEqual(refused.map(({ delivery }) => delivery.position), [3, 13, 23, 33]);
  assert.match(refused[0]!.reason, /key/);
  assert.deepEqual(again, []);
  assert.equal((await kafka.read("compacted")).length, 36);
});

fact("Kafka: an unknown topic waits by itself, others go on, and it is taken once it exists", async () => {
  await kafka.createTopic("known");
  const batch = numbered(20, "known", (i) => i % 2 ? { topic: "unknown" } : {});
  await withAdaptor({}, async (adaptor) => {
    const { refused, again, stalled, trouble } = await send(adaptor, batch);
    assert.deepEqual([refused, stalled], [[], ["unknown"]]);
    assert.deepEqual(again, batch.filter(({ message }) => message.topic === "unknown"));
    assert.equal(trouble, 'topic "unknown": does not exist at the brokers; create it or set create_topics = true');
    assert.equal((await kafka.read("known")).length, 10);
    await kafka.createTopic("unknown");
    assertTaken(await send(adaptor, again));
  });
  assert.equal((await kafka.read("unknown")).length, 10);
});

fact("Kafka: create_topics makes the topic, though the brokers do not by themselves", async () => {
  await withAdaptor({ create_topics: true, topic: "%env%.%topic%", headers: "all" }, async (adaptor) => {
    const batch = numbered(6, "made");
    let left: readonly Delivery[] = batch;
    for (let tries = 0; left.length > 0 && tries < 50; tries++) left = (await send(adaptor, left)).again;
  });
  const received = await kafka.read("prod.made");
  assert.equal(received.length, 6);
  assert.equal(received[0]!.headers.get("topic"), "made");
});

fact("Kafka: tells how many copies an acknowledged message has", async () => {
  await kafka.createTopic("single");
  const notices: string[] = [];
  await withAdaptor({}, async (adaptor) => {
    assertTaken(await send(adaptor, numbered(1, "single")));
    await eventually("the notice", () => notices.length > 0);
  }, notices);
  assert.deepEqual(notices, [
    "acks=all here means 1 copy (replication factor 1, min.insync.replicas 1): topic single",
  ]);
});

for (const sasl of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const) {
  fact(`Kafka: logs in by ${sasl} over TLS`, async () => {
    const topic = sasl.toLowerCase();
    await kafka.createTopic(topic);
    assertTaken(await sendOnce(secured({ sasl }), numbered(5, topic)));
    assert.equal((await kafka.read(topic)).length, 5);
  });
}

fact("Kafka: says what is wrong with the login, the certificate or the address", async () => {
  const cases: [Partial<KafkaOptions>, RegExp][] = [
    [secured({ password: "wrong" }), /the brokers refused user "ev": check username and password/],
    [secured({ sasl: "SCRAM-SHA-256", password: "wrong" }), /the brokers refused user "ev"/],
    [secured({ tls_ca: undefined }), /certificate is not trusted: .*; set tls_ca/],
    [secured({ tls_server_name: "other.example" }), /certificate is not trusted/],
    [{ brokers: kafka.secureBrokers }, /set tls = true/],
    [{ tls: true }, /set tls = false/],
    [secured({ sasl: "none" }), /closed the connection; do they want sasl\?/],
    [{ brokers: ["127.0.0.1:1"] }, /cannot reach any of 127\.0\.0\.1:1: .*ECONNREFUSED/],
  ];
  for (const [options, expected] of cases) {
    const began = performance.now();
    await assert.rejects(open(options), expected);
    assert.ok(performance.now() - began < hangMs);
  }
});

fact(
  "Kafka P15: killed in mid-batch, nothing is lost and order holds; nothing is twice if the outage is in time",
  async () => {
    const own = await startKafka();
    try {
      const inTime = await killInMidBatch(own, { count: 15, size: 2000, timeout: 120_000, topic: "in-time" });
      assert.deepEqual(inTime, { twice: 0, opened: 1 });
      const tooLong = await killInMidBatch(own, { count: 15, size: 2000, timeout: 2000, topic: "too-long" });
      assert.ok(tooLong.opened > 1);
      console.log(`kill -9 of the only node; away for longer than timeout: ${tooLong.twice} twice`);
    } finally {
      await own.stop();
    }
  },
);

async function killInMidBatch(own: Kafka, stream: Stream): Promise<{ twice: number; opened: number }> {
  await own.createTopic(stream.topic, { partitions: 3 });
  const opened = await pumpThrough(own, stream, async (batch) => {
    if (batch !== 7) return;
    await world.clock.sleep(20);
    await own.kill(0);
    own.launch(0);
  });
  await own.serves(0);
  const received = await own.read(stream.topic);
  const numbers = new Set(received.map(numberOf));
  assert.equal(numbers.size, stream.count * stream.size);
  for (const partition of Map.groupBy(received, ({ partition }) => partition).values()) {
    assertAscending(firsts(partition.map(numberOf)));
  }
  return { twice: received.length - numbers.size, opened };
}

fact("Kafka P15: absent at the start is an error that says so; when it comes, so does the connection", async () => {
  const own = await startKafka({ started: false });
  try {
    await assert.rejects(open({ brokers: own.brokers }), /cannot reach any of 127/);
    own.launch(0);
    let adaptor: Adaptor | undefined;
    for (let tries = 0; !adaptor && tries < 100; tries++) {
      adaptor = await open({ brokers: own.brokers }).catch(() => undefined);
      if (!adaptor) await world.clock.sleep(200);
    }
    await own.createTopic("later");
    assertTaken(await send(adaptor!, numbered(5, "later")));
    await freeze(own, adaptor!);
  } finally {
    await own.stop();
  }
});

/** A frozen broker takes connections and bytes and says nothing. */
async function freeze(own: Kafka, adaptor: Adaptor): Promise<void> {
  own.freeze(0);
  const stop = new AbortController();
  const sending = adaptor.send(numbered(2000, "later", () => ({ body: new Uint8Array(500) })), stop.signal);
  await world.clock.sleep(500);
  const began = performance.now();
  stop.abort();
  await assert.rejects(sending, /Cannot send to Kafka/);
  await adaptor.close();
  await adaptor.close();
  await assert.rejects(open({ brokers: own.brokers, timeout: 1000 }), /Cannot connect to Kafka/);
  assert.ok(performance.now() - began < hangMs);
  own.thaw(0);
}

fact(
  "Kafka P15: of three nodes one killed, nothing is lost; a topic that wants all three waits by itself",
  async () => {
    const own = await startKafka({ nodes: 3 });
    try {
      await own.createTopic("stream", { partitions: 3 });
      await own.createTopic("strict", { configs: { "min.insync.replicas": "3" } });
      const opened = await pumpThrough(
        own,
        { count: 20, size: 1000, timeout: 30_000, topic: "stream" },
        async (batch) => {
          if (batch === 7) await own.kill(1);
        },
      );
      const numbers = (await own.read("stream")).map(numberOf);
      assert.equal(new Set(numbers).size, 20 * 1000);
      assert.deepEqual({ opened, twice: numbers.length - 20 * 1000 }, { opened: 1, twice: 0 });
      await strictWaits(own);
    } finally {
      await own.stop();
    }
  },
);

async function strictWaits(own: Kafka): Promise<void> {
  const batch = numbered(20, "stream", (i) => i % 2 ? { topic: "strict" } : {}, 20 * 1000);
  const { refused, again, stalled, trouble } = await sendOnce({ brokers: own.brokers }, batch);
  assert.deepEqual([refused, stalled], [[], ["strict"]]);
  assert.deepEqual(again, batch.filter(({ message }) => message.topic === "strict"));
  assert.match(trouble!, /^topic "strict": .*in-sync/i);
  assert.equal((await own.read("stream")).length, 20 * 1000 + 10);
}

interface Stream {
  readonly topic: string;
  readonly count: number;
  readonly size: number;
  readonly timeout: number;
}

/**
 * What the pump does, in small: sends batches, and after a rejection opens anew and sends the same again. `meanwhile` runs
 * beside each batch. Returns how often it opened.
 */
async function pumpThrough(own: Kafka, stream: Stream, meanwhile: (batch: number) => Promise<void>): Promise<number> {
  let adaptor: Adaptor | undefined;
  let opened = 0;
  for (let b = 0; b < stream.count; b++) {
    let left: readonly Delivery[] = numbered(stream.size, stream.topic, (i) => ({ key: `k${i % 5}` }), b * stream.size);
    const beside = meanwhile(b);
    while (left.length > 0) {
      try {
        if (!adaptor) opened++;
        adaptor ??= await open({ brokers: own.brokers, timeout: stream.timeout });
        left = (await send(adaptor, left)).again;
      } catch {
        await adaptor?.close();
        adaptor = undefined;
      }
      if (left.length > 0) await world.clock.sleep(200);
    }
    await beside;
  }
  await adaptor?.close();
  return opened;
}

function secured(options: Partial<KafkaOptions>): Partial<KafkaOptions> {
  return {
    ...{ brokers: kafka.secureBrokers, tls: true, tls_ca: kafka.ca, sasl: "PLAIN", username: "ev", password: "secret" },
    ...options,
  };
}

async function open(options: Partial<KafkaOptions>, opening: Opening = {}): Promise<Adaptor> {
  return await openAt({ brokers: kafka.brokers, ...options }, opening);
}

async function withAdaptor(
  options: Partial<KafkaOptions>,
  work: (adaptor: Adaptor) => Promise<void>,
  notices: string[] = [],
): Promise<void> {
  const adaptor = await open(options, { notices });
  try {
    await work(adaptor);
  } finally {
    await adaptor.close();
  }
}

async function sendOnce(options: Partial<KafkaOptions>, batch: readonly Delivery[]): Promise<Result> {
  const adaptor = await open(options);
  try {
    return await send(adaptor, batch);
  } finally {
    await adaptor.close();
  }
}
