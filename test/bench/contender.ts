/** What is measured in turn, round by round: ours, and what it is compared with. */
import type { Bench } from "./case.ts";
import { median, rounded, shown, type Spread, spreadOf } from "./figures.ts";
import type { Seen } from "./load.ts";
import { busySeconds } from "./machine.ts";
import { pause } from "./process.ts";

export interface Contender {
  readonly name: string;
  readonly address: string;
  /** Loads it for so long. */
  readonly send: (seconds: number) => Promise<Seen>;
  /** What it has taken of the cores so far, all threads and processes of it. */
  readonly cpuSeconds: () => number;
  /** How many messages it says it has taken, if it says. */
  readonly accepted?: () => Promise<number>;
  /** Of one request; left out: as many as ours. */
  readonly messagesPerRequest?: number;
}
/** What all of them are sent. */
export interface Traffic {
  readonly name: string;
  readonly connections: number;
  readonly messagesPerRequest: number;
}
/** What one round found. */
export interface Round {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p99_9: number;
  readonly cpuPerMillion: number;
  readonly cores: number;
  readonly loadCores: number;
  readonly otherCores: number;
}

const warmUpSeconds = 2;
/** For what the round before has left to the disk. */
const settleMs = 500;

/** Every other round goes backwards, so that a machine that grows slower or faster treats all alike. */
export async function roundsInTurn(
  contenders: readonly Contender[],
  traffic: Traffic,
  { options, note }: Bench,
): Promise<Map<string, Round[]>> {
  for (const { send } of contenders) await send(Math.min(warmUpSeconds, options.seconds));
  const found = new Map<string, Round[]>(contenders.map(({ name }) => [name, []]));
  for (let number = 0; number < options.rounds; number++) {
    for (const contender of number % 2 === 0 ? contenders : contenders.toReversed()) {
      await pause(settleMs);
      const round = await oneRound(contender, traffic, options.seconds);
      found.get(contender.name)!.push(round);
      note(`${traffic.name} round ${number + 1}: ${contender.name} ${shown(round.perSecond)}/s`);
    }
  }
  return found;
}

async function oneRound(contender: Contender, traffic: Traffic, seconds: number): Promise<Round> {
  const { send, cpuSeconds, messagesPerRequest = traffic.messagesPerRequest } = contender;
  const acceptedBefore = await contender.accepted?.();
  const [cpuBefore, busyBefore] = [cpuSeconds(), busySeconds()];
  const seen = await send(seconds);
  const cpu = cpuSeconds() - cpuBefore;
  const busy = busySeconds() - busyBefore;
  const messages = seen.requests * messagesPerRequest;
  if (contender.accepted) checkCount(messages, await contender.accepted() - acceptedBefore!, traffic);
  return {
    perSecond: messages / seen.seconds,
    p50: seen.p50_ms,
    p99: seen.p99_ms,
    p99_9: seen.p99_9_ms,
    cpuPerMillion: cpu / messages * 1e6,
    cores: cpu / seen.seconds,
    loadCores: seen.cpu_s / seen.seconds,
    otherCores: Math.max(0, busy - cpu - seen.cpu_s) / seen.seconds,
  };
}

/** When the load stops, each connection may have a request under way whose answer is not waited for. */
function checkCount(answered: number, accepted: number, { connections, messagesPerRequest }: Traffic): void {
  const most = answered + connections * messagesPerRequest;
  if (accepted >= answered && accepted <= most) return;
  throw new Error(`${answered} messages were answered with 2xx, but the server counts ${accepted} as accepted`);
}

export interface RoundFigures {
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly p99_9_ms: number;
  readonly cpu_s_per_million: number;
  readonly cores: number;
  readonly load_cores: number;
  readonly other_cores: number;
  /** The rate, by its unit: `requests_per_s`. */
  readonly [unit: string]: number | Spread;
}

export function figuresOf(unit: string, rounds: readonly Round[]): RoundFigures {
  const middle = (name: keyof Round) => rounded(median(rounds.map((round) => round[name])));
  return {
    [unit]: spreadOf(rounds.map(({ perSecond }) => perSecond)),
    p50_ms: middle("p50"),
    p99_ms: middle("p99"),
    p99_9_ms: middle("p99_9"),
    cpu_s_per_million: middle("cpuPerMillion"),
    cores: middle("cores"),
    load_cores: middle("loadCores"),
    other_cores: middle("otherCores"),
  };
}

/** Ours to theirs, round by round: what disturbed a round disturbed both. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): { ratio: number; ratios: number[] } {
  const ratios = ours.map((value, number) => value / theirs[number]!);
  return { ratio: rounded(median(ratios)), ratios: ratios.map((ratio) => rounded(ratio)) };
}
