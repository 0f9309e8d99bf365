/**
 * The examination of a kind of destination: one node delivers to its peer in as many ways as there are faults, all of which happen
 * at once, and to a file, which must not notice. What was accepted has to be there in the end, by whichever way.
 */
import assert from "node:assert/strict";
import { makeCertificates } from "../services/certificates.ts";
import { missing as missingNames, startNameServer } from "../services/name_server.ts";
import { makeTempDir, type Node, startNode } from "./node.ts";
import { readOutput } from "./output.ts";
import { eventually, pause } from "./waiting.ts";
import { type Cell, type Door, killed, nameOf, type Way } from "./ways.ts";

/** The other side of all ways. */
export interface Peer extends AsyncDisposable {
  readonly port: number;
  /** Of this cell, where each has another. */
  ports?(cell: Cell): { readonly port: number; readonly doorPort: number };
  /** What stands below `[[destination]]`, but for its name. */
  config(cell: Cell, door: Door): string;
  /** The payloads that came by this way, in order; copies are allowed. */
  arrived(cell: Cell): Promise<readonly string[]>;
  /** With SIGKILL, where it is a process. */
  kill?(): Promise<void>;
  restart?(): Promise<void>;
}
export interface Row {
  readonly name: string;
  /** To be put behind the names of tests that are ignored. */
  readonly lacks?: string;
  readonly cells: readonly Cell[];
  begin(cells: readonly Cell[]): Promise<Peer>;
  /** What runs the node, e.g. `setpriv`. */
  readonly through?: readonly string[];
}
/** What came of a cell. */
export interface Figures {
  readonly row: string;
  readonly cell: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly copies: number;
}

const perStep = 150;
const faultySteps = 4;
const stepMs = 500;
/** A destination that has failed for a while waits up to half a minute. */
const recoveryMs = 120_000;
const saidMs = 60_000;
/** Sockets that are being closed, and files of the log that come and go. */
const spareHandles = 12;
export const found: Figures[] = [];

export function examineRow(row: Row): void {
  const { name, lacks = "", cells } = row;
  Deno.test({
    name:
      `P2 P6 P14 ${name}, under ${cells.length} faults at once: nothing is lost, order holds, no handle stays open${lacks}`,
    ignore: lacks !== "",
    async fn(t) {
      const needs = missingNames();
      const isLeftOut = (cell: Cell) => cell.needsRoot === true && needs !== "";
      await using run = await begin(row, cells.filter((cell) => !isLeftOut(cell)));
      const outcomes = await examine(run);
      for (const cell of cells) {
        await t.step({
          name: `${name}, ${cell.name}: lost 0, and it goes on by itself${isLeftOut(cell) ? needs : ""}`,
          ignore: isLeftOut(cell),
          fn() {
            const outcome = outcomes.get(cell);
            if (outcome instanceof Error) throw outcome;
            found.push({ row: name, cell: cell.name, ...outcome! });
          },
        });
      }
      assert.equal(await run.node.stop(), 0, run.node.stderr());
    },
  });
}

/** A line for each fault, a column for each row; in a cell the copies, where nothing was lost. */
export function table(rows: readonly Row[]): string {
  const columns = rows.map(({ name }) => name);
  const names = [...new Set(rows.flatMap(({ cells }) => cells.map(({ name }) => name)))];
  const cell = (name: string, row: string) => {
    const figures = found.find((one) => one.cell === name && one.row === row);
    return figures === undefined ? "—" : `${figures.accepted} / ${figures.delivered} / ${figures.copies}`;
  };
  const line = (words: readonly string[]) => `| ${words.join(" | ")} |\n`;
  const body = names.map((name) => line([name, ...columns.map((row) => cell(name, row))])).join("");
  return `${line(["fault", ...columns])}${line(["---", ...columns.map(() => "---")])}${body}`;
}

interface Run extends AsyncDisposable {
  readonly node: Node;
  readonly peer: Peer;
  readonly ways: ReadonlyMap<Cell, Way>;
}
type Outcome = Omit<Figures, "row" | "cell"> | Error;

async function begin({ begin, through = [] }: Row, cells: readonly Cell[]): Promise<Run> {
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
  const far = [...ways].map(([cell, { door }]) =>
    `[[destination]]\nname = "${nameOf(cell)}"\n${peer.config(cell, door)}deadline = "5s"\n`
  );
  const near = `[[destination]]\nname = "near"\nkind = "file"\ndir = "near"\n`;
  const node = stack.use(
    await startNode({ config: far.join("") + near, through: [...names?.through ?? [], ...through] }),
  );
  const all = stack.move();
  return { node, peer, ways, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}

async function examine({ node, peer, ways }: Run): Promise<Map<Cell, Outcome>> {
  const cells = [...ways.keys()];
  const sender = new Sender(node);
  await sender.send();
  await Promise.all(cells.map((cell) => arrival(peer, cell, sender.sent)));
  const handles = handlesOf(node);
  const problems = new Map(await suffer({ node, ways, sender }));
  await sender.send();
  const outcomes = new Map<Cell, Outcome>();
  await Promise.all(cells.map(async (cell) => {
    const outcome = await arrival(peer, cell, sender.sent).then((there) => figured(there, sender.sent)).catch(asError);
    outcomes.set(cell, problems.get(cell) ?? outcome);
  }));
  const most = handles + spareHandles + 2 * cells.length;
  await eventually("handles to be given back", () => handlesOf(node) <= most);
  if (ways.has(killed)) {
    const outcome = await kill({ peer, sender }).then((there) => figured(there, sender.sent)).catch(asError);
    outcomes.set(killed, problems.get(killed) ?? outcome);
  }
  await sender.arrivedNear();
  return outcomes;
}

interface Suffering {
  readonly node: Node;
  readonly ways: ReadonlyMap<Cell, Way>;
  readonly sender: Sender;
}

/** All faults at once. What destinations fail to say is returned. */
async function suffer({ node, ways, sender }: Suffering): Promise<readonly (readonly [Cell, Error])[]> {
  const said = new Map<string, Set<string>>();
  const over = new AbortController();
  const listening = listen(node, said, over.signal);
  const begun = Promise.all([...ways.values()].map((way) => way.begin()));
  for (let step = 0; step < faultySteps; step++) {
    await sender.send();
    await pause(stepMs);
  }
  await begun;
  // By now what stood may have broken.
  await sender.send();
  await sender.arrivedNear();
  const told = await Promise.all([...ways.keys()].map(async (cell) => {
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
  await Promise.all([...ways.values()].map((way) => way.mend()));
  return told.flat();
}

async function listen(node: Node, said: Map<string, Set<string>>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const { name, last_error } of await destinationsOf(node)) {
      if (!said.has(name)) said.set(name, new Set());
      if (last_error !== "") said.get(name)!.add(last_error);
    }
    await pause(100);
  }
}

async function kill({ peer, sender }: { readonly peer: Peer; readonly sender: Sender }): Promise<readonly string[]> {
  await peer.kill!();
  await sender.send();
  await pause(stepMs);
  await peer.restart!();
  await sender.send();
  return await arrival(peer, killed, sender.sent);
}

/** What came, once everything has. */
async function arrival(peer: Peer, cell: Cell, count: number): Promise<readonly string[]> {
  return await eventually(`${count} messages by the way of "${cell.name}"`, async () => {
    const payloads = await peer.arrived(cell);
    return new Set(payloads).size >= count && payloads;
  }, recoveryMs);
}

/** Everything is there, in order, and nothing else. */
function figured(payloads: readonly string[], accepted: number): Outcome {
  const firsts = [...new Set(payloads)];
  assert.deepEqual(firsts, Array.from({ length: accepted }, (_, n) => payloadOf(n)));
  return { accepted, delivered: firsts.length, copies: payloads.length - firsts.length };
}

function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}

function payloadOf(n: number): string {
  return `{"n":${n},"fill":"${"x".repeat(40)}"}`;
}

class Sender {
  readonly #node: Node;
  sent = 0;

  constructor(node: Node) {
    this.#node = node;
  }
  async send(): Promise<void> {
    const lines = Array.from({ length: perStep }, (_, at) => `{"topic":"t","data":${payloadOf(this.sent + at)}}\n`);
    const headers = { "content-type": "application/x-ndjson" };
    const body = lines.join("");
    const response = await fetch(`http://${this.#node.http}/log`, { method: "POST", headers, body });
    assert.equal(response.status, 204, await response.text());
    this.sent += perStep;
  }
  async arrivedNear(): Promise<void> {
    await eventually(
      "everything in the file",
      async () => (await readOutput(`${this.#node.dir}/near`, "t")).length === this.sent,
    );
  }
}

interface Shown {
  readonly name: string;
  readonly last_error: string;
}

async function destinationsOf({ management }: Node): Promise<readonly Shown[]> {
  return (await (await fetch(`http://${management}/status`)).json()).destinations;
}

function handlesOf({ pid }: Node): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}
