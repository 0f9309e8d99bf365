/** Trying destinations: each is opened and closed again, and nothing is sent. */
import { adaptors } from "../../adaptors/mod.ts";
import type { Config, Destination } from "../config/keys.ts";
import type { Place } from "../deliver/adaptor.ts";
import type { Position } from "../log/mod.ts";
import { codeOf, join, type World } from "../os/world.ts";

export interface Trial {
  readonly name: string;
  /** Why it cannot be delivered to, and what to do; nothing when it can. */
  readonly problem?: string;
  /** What it says besides. */
  readonly notices: readonly string[];
}

/** Longer nobody waits for a command, and a server goes on trying for ever anyway. */
const patienceMs = 20_000;

export async function tryAll({ data, destination }: Config, world: World): Promise<Trial[]> {
  return await Promise.all(destination.map((one) => tryOne(one, { data, world })));
}

async function tryOne(
  { name, kind, options, deadline }: Destination,
  { data, world }: { readonly data: string; readonly world: World },
): Promise<Trial> {
  const notices: string[] = [];
  const place: Place = {
    destination: name,
    dir: join(data, "out"),
    world,
    position: 0 as Position,
    generation: 1,
    notice: (text) => void notices.push(text),
  };
  const done = new AbortController();
  const limitMs = Math.min(deadline, patienceMs);
  const late = world.clock.sleep(limitMs, done.signal).then(() => {
    done.abort();
    throw new Error(`no answer within ${limitMs / 1000} s; does it run, and does a firewall let us through?`);
  });
  try {
    await Promise.race([openAndClose(kind, options, { place, signal: done.signal }), late]);
    return { name, notices };
  } catch (problem) {
    return { name, problem: whyNot(problem), notices };
  } finally {
    done.abort();
    late.catch(() => {});
  }
}

interface Opening {
  readonly place: Place;
  readonly signal: AbortSignal;
}

async function openAndClose(kind: string, options: Destination["options"], { place, signal }: Opening): Promise<void> {
  const adaptor = (await adaptors[kind]!()).default;
  if (adaptor.check) return await adaptor.check(options, place, signal);
  const opened = await adaptor.open(options, place, signal);
  await opened.close();
}

/** What an operator can look at, by what the system calls the trouble. */
const advice = [
  [/ECONNREFUSED/, "nothing listens there: does it run, and is the address right?"],
  [/ENOTFOUND|EAI_AGAIN|failed to lookup address/, "no such host is known here: is the name right?"],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    "nobody answers there: is the address right, and does a firewall let us through?",
  ],
  [/EADDRINUSE/, "if that is sparkngin itself, which runs already, all is well: see sparkngin status"],
] as const;

function whyNot(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : String(problem);
  const known = advice.find(([pattern]) => pattern.test(`${codeOf(problem)} ${text}`));
  return known ? `${text}; ${known[1]}` : text;
}
