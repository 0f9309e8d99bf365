/** The whole way: NDJSON over HTTP, through the log, until a destination has confirmed every message. */
import { lines } from "./body.ts";
import type { Bench } from "./case.ts";
import { median, rounded, shown, shownSpread, spreadOf } from "./figures.ts";
import { type Load, sendLoad } from "./load.ts";
import { pause } from "./process.ts";
import type { Server } from "./server.ts";

export const connections = 16;
export const messagesPerRequest = 100;
export const warmUpSeconds = 2;
/** Of the destination that is waited for. */
export const destination = "out";

/** What one round found. */
export interface DeliveryRound {
  /** From the first request until the last message is delivered. */
  readonly perSecond: number;
  readonly intakePerSecond: number;
  /** Of the answers, in ms. */
  readonly p99: number;
  /** When the load stopped: messages that were not delivered yet, and how long that took. */
  readonly lag: number;
  readonly lagMs: number;
  readonly messages: number;
  readonly cpuSeconds: number;
  readonly cpuPerMillion: number;
}

export async function prepareLoad(dir: string): Promise<Load> {
  const file = `${dir}/body`;
  await Deno.writeTextFile(file, lines(messagesPerRequest));
  return { path: "/log", connections, body: { file, type: "application/x-ndjson" } };
}

/** Loads it for so long, and waits until all of that is delivered. */
export async function deliveryRound(
  server: Server,
  load: Load,
  { seconds, bench }: { readonly seconds: number; readonly bench: Bench },
): Promise<DeliveryRound> {
  const before = await standing(server);
  const cpuBefore = server.child.cpuSeconds();
  const begin = performance.now();
  const seen = await sendLoad(server.address, load, { seconds, core: bench.machine.pins.load });
  const stopped = performance.now();
  const lag = (await standing(server)).pending;
  const after = await delivered(server);
  const ended = performance.now();
  const messages = after.accepted - before.accepted;
  if (after.taken - before.taken !== messages) {
    throw new Error(`Of ${messages} messages the destination took ${after.taken - before.taken}`);
  }
  const cpuSeconds = server.child.cpuSeconds() - cpuBefore;
  return {
    perSecond: messages / (ended - begin) * 1000,
    intakePerSecond: seen.requests * messagesPerRequest / seen.seconds,
    p99: seen.p99_ms,
    lag,
    lagMs: ended - stopped,
    messages,
    cpuSeconds,
    cpuPerMillion: cpuSeconds / messages * 1e6,
  };
}

async function standing(server: Server) {
  const { accepted, log, destinations } = await server.status();
  const { position, pending, taken } = destinations.find(({ name }) => name === destination)!;
  return { accepted, durable: log.durable, position, pending, taken };
}

/** Until everything accepted is taken: when wrk stops, requests may be under way. */
async function delivered(server: Server) {
  for (let last = -1;;) {
    const now = await standing(server);
    if (now.position === now.durable && now.pending === 0 && now.accepted === last) return now;
    last = now.accepted;
    await pause(5);
  }
}

export function deliveryFigures(rounds: readonly DeliveryRound[], seconds: number) {
  const values = (name: keyof DeliveryRound) => rounds.map((round) => round[name]);
  return {
    connections,
    seconds,
    rounds: rounds.length,
    messages_per_s: spreadOf(values("perSecond")),
    intake_messages_per_s: spreadOf(values("intakePerSecond")),
    lag_messages: spreadOf(values("lag")),
    lag_ms: spreadOf(values("lagMs")),
    cpu_s_per_million: rounded(median(values("cpuPerMillion"))),
  };
}

export function shownDelivery({ messages_per_s, lag_ms }: ReturnType<typeof deliveryFigures>): string {
  return `${shownSpread(messages_per_s)} messages/s; the last delivered ${shown(lag_ms.median)} ms after the load`;
}
