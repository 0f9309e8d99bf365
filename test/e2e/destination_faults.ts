/**
 * The examination of a kind of destination: one node delivers to its peer in as many ways as there are faults, all of which happen
 * at once, and to a file, which must not notice. What was accepted has to be there in the end, by whichever way, as far as that is
 * promised. Then come, one after the other, the faults that all ways would suffer from: those of the peer and of the node.
 */
import { makeCertificates } from "../services/certificates.ts";
import { missing as missingNames, startNameServer } from "../services/name_server.ts";
import { countOf, figured, type Figures, isThere, type Named, since, type Span, spanOf } from "./fault_figures.ts";
import { Host } from "./fault_host.ts";
import { Sender } from "./fault_sender.ts";
import { makeTempDir } from "./node.ts";
import { eventually, pause } from "./waiting.ts";
import { type Cell, type Door, nameOf, type Way } from "./ways.ts";

/** The other side of all ways. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** Of this cell, where each has another. */
  ports?(cell: Cell): { readonly port: number; readonly doorPort: number };
  /** What the node is to find in its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What stands below `[[destination]]`, but for its name. */
  config(cell: Cell, door: Door): string;
  /** The payloads that came by this way, in order; copies are allowed. */
  arrived(cell: Cell): Promise<readonly string[]>;
  /** With SIGKILL, where it is a process. */
  kill?(cell: Cell): Promise<void>;
  restart?(cell: Cell): Promise<void>;
}
export interface Row {
  readonly name: string;
  /** To be put behind the names of tests that are ignored. */
  readonly lacks?: string;
  readonly cells: readonly Cell[];
  begin(cells: readonly Cell[]): Promise<Peer>;
  /** What runs the node, e.g. `setpriv`. */
  readonly through?: readonly string[];
  /** How many messages it gets at once. */
  readonly perStep?: number;
}
/** Where a fault happens that comes by itself, after the others. */
export interface Scene {
  readonly cell: Cell;
  readonly way: Way;
  readonly peer: Peer;
  readonly host: Host;
  readonly sender: Sender;
}

const usualPerStep = 150;
const faultySteps = 4;
const stepMs = 500;
/** A destination that has failed for a while waits up to half a minute. */
const recoveryMs = 120_000;
const saidMs = 60_000;
/** Sockets that are being closed, and files of the log that come and go. */
const spareHandles = 12;
export const found: Named[] = [];

export function examineRow(row: Row): void {
  const { name, lacks = "", cells } = row;
  Deno.test({
    name:
      `P2 P6 P14 ${name}, under ${cells.length} faults: nothing that is promised is lost, order holds, no handle stays open${lacks}`,
    ignore: lacks !== "",
    async fn(t) {
      const needs = missingNames();
      const isLeftOut = (cell: Cell) => cell.needsRoot === true && needs !== "";
      await using run = await begin(row, cells.filter((cell) => !isLeftOut(cell)));
      const outcomes = await examine(run);
      for (const cell of cells) {
        await t.step({
          name: `${name}, ${cell.name}: ${promiseOf(cell)}${isLeftOut(cell) ? needs : ""}`,
          ignore: isLeftOut(cell),
          fn() {
            const outcome = outcomes.get(cell);
            if (outcome instanceof Error) throw outcome;
            found.push({ row: name, cell: cell.name, ...outcome! });
          },
        });
      }
      await run.host.end("SIGTERM");
    },
  });
}

function promiseOf({ mayLose, once }: Cell): string {
  if (mayLose) return "what is sent meanwhile may be gone, and it goes on by itself";
  return `lost 0${once ? ", copies 0" : ""}, and it goes on by itself`;
}

interface Run extends AsyncDisposable {
  readonly host: Host;
  readonly peer: Peer;
  readonly ways: ReadonlyMap<Cell, Way>;
  readonly sender: Sender;
}
type Outcome = Figures | Error;

async function begin({ begin, through = [], perStep = usualPerStep }: Row, cells: readonly Cell[]): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const home = stack.use(await makeTempDir());
  const peer = stack.use(await begin(cells));
  const certificates = await makeCertificates(home.path);
  const names = missingNames() === "" ? stack.use(await startNameServer(home.path)) : undefined;
  const ways = new Map<Cell, Way>();
  for (const cell of cells) {
    const { port, doorPort } = peer.ports?.(cell) ?? { port: peer.port, doorPort: 0 };
    ways.set(cell, stack.use(await cell.open({ port, doorPort, certificates, names })));
  }
  for (const [cell, way] of ways) if (cell.fromStart) await way.begin();
  const far = [...ways].map(([cell, { door }]) =>
    `[[destination]]\nname = "${nameOf(cell)}"\n${peer.config(cell, door)}deadline = "5s"\n`
  );
  const near = `[[destination]]\nname = "near"\nkind = "file"\ndir = "near"\n`;
  const { env = {} } = peer;
  const host = stack.use(
    await Host.start(`${home.path}/node`, {
      config: far.join("") + near,
      through: [...names?.through ?? [], ...through],
      env,
    }),
  );
  const sender = new Sender(host, perStep);
  const all = stack.move();
  return { host, peer, ways, sender, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}

async function examine({ host, peer, ways, sender }: Run): Promise<Map<Cell, Outcome>> {
  const cells = [...ways.keys()];
  const outcomes = new Map<Cell, Outcome>();
  const judge = async (cell: Cell, spans: readonly Span[]) => {
    outcomes.set(cell, await arrival({ peer, cell, sender, spans }).catch(asError));
  };
  await sender.send();
  const from = sender.sent;
  await Promise.all(cells.filter(({ fromStart }) => !fromStart).map((cell) => judge(cell, [])));
  for (const outcome of outcomes.values()) if (outcome instanceof Error) throw outcome;
  const { handles } = host;
  const problems = new Map(await suffer({ host, ways, sender }));
  const until = sender.sent;
  await sender.send();
  const early = cells.filter(({ late }) => late === undefined);
  await Promise.all(early.map((cell) => judge(cell, [spanOf(cell, from, until)])));
  const most = handles + spareHandles + 2 * cells.length;
  await eventually("handles to be given back", () => host.handles <= most);
  const onAll: Span[] = [];
  for (const cell of cells.filter(({ late }) => late !== undefined)) {
    const from = sender.sent;
    // What another fault has left would count as this one's.
    await judge(cell, onAll);
    if (outcomes.get(cell) instanceof Error) continue;
    const before = countOf(await peer.arrived(cell), from);
    const scene = { cell, way: ways.get(cell)!, peer, host, sender };
    await cell.late!(scene).catch((problem) => problems.set(cell, asError(problem)));
    const span = spanOf(cell, from, sender.sent);
    await sender.send();
    await judge(cell, [...onAll, span]);
    const outcome = outcomes.get(cell)!;
    if (!(outcome instanceof Error)) outcomes.set(cell, since(before, outcome));
    if (cell.onAll) onAll.push(span);
  }
  for (const [cell, problem] of problems) outcomes.set(cell, problem);
  await sender.arrivedNear();
  for (const cell of cells) await addsUp(host, cell, sender.sent).catch((problem) => outcomes.set(cell, problem));
  return outcomes;
}

interface Suffering {
  readonly host: Host;
  readonly ways: ReadonlyMap<Cell, Way>;
  readonly sender: Sender;
}

/** All faults at once. What destinations fail to say is returned. */
async function suffer({ host, ways, sender }: Suffering): Promise<readonly (readonly [Cell, Error])[]> {
  const said = new Map<string, Set<string>>();
  const over = new AbortController();
  const listening = listen(host, said, over.signal);
  const early = [...ways].filter(([{ late }]) => late === undefined);
  const begun = Promise.all(early.map(([{ fromStart }, way]) => fromStart ? undefined : way.begin()));
  for (let step = 0; step < faultySteps; step++) {
    await sender.send();
    await pause(stepMs);
  }
  await begun;
  // By now what stood may have broken.
  await sender.send();
  await sender.arrivedNear();
  const told = await Promise.all(early.map(async ([cell]) => {
    const texts = () => [...said.get(nameOf(cell)) ?? []];
    try {
      const { says } = cell;
      if (says) await eventually("what is wrong", () => texts().some((text) => says.test(text)), saidMs);
      return [];
    } catch {
      return [[cell, new Error(`${cell.name}: none of these says ${cell.says}:\n${texts().join("\n")}`)] as const];
    }
  }));
  over.abort();
  await listening;
  await Promise.all(early.map(([, way]) => way.mend()));
  return told.flat();
}

async function listen(host: Host, said: Map<string, Set<string>>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { name, state, last_error } of await host.destinations()) {
      if (!said.has(name)) said.set(name, new Set());
      said.get(name)!.add(`${state}: ${last_error}`);
    }
    await pause(100);
  }
}

interface Arriving {
  readonly peer: Peer;
  readonly cell: Cell;
  readonly sender: Sender;
  readonly spans: readonly Span[];
}

/** What came, once everything has that must. */
async function arrival({ peer, cell, sender, spans }: Arriving): Promise<Figures> {
  const { payloads } = sender;
  const there = await eventually(`${payloads.length} messages by the way of "${cell.name}"`, async () => {
    const there = await peer.arrived(cell);
    return isThere(there, payloads, spans) && there;
  }, recoveryMs);
  return figured(there, payloads, cell);
}

/** Each message that was accepted has one verdict. */
async function addsUp(host: Host, cell: Cell, accepted: number): Promise<void> {
  await host.shows(
    nameOf(cell),
    ({ taken, dead, pending, conserved }) => pending === 0 && conserved && taken + dead === accepted,
  );
}

function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}
