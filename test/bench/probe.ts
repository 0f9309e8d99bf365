/** The steps that can be timed alone, each with what it works on. */
import { sections } from "../../src/config/keys.ts";
import { defaults } from "../../src/config/options.ts";
import { select } from "../../src/deliver/select.ts";
import type { HttpRequest, Span } from "../../src/ingest/http.ts";
import { Deliveries } from "../../src/ingest/deliveries.ts";
import { parseQuery } from "../../src/ingest/query.ts";
import { openRoutes } from "../../src/ingest/routes.ts";
import type { Entry, Position } from "../../src/log/mod.ts";
import { filterOf } from "../../src/message/filter.ts";
import { formatter } from "../../src/message/format.ts";
import { decodeEntry, encodeEntry, EntryWriter, type Incoming } from "../../src/message/wire.ts";
import { nodeStates, Table } from "../../src/observe/table.ts";
import { realWorld } from "../../src/os/deno.ts";
import { lines, query } from "./body.ts";
import { arrival, entryHead, entryOf, parseInto } from "./entry.ts";
import { MemoryLog } from "./memory_log.ts";
import { ProbedLog } from "./probed_log.ts";

export interface Probe {
  readonly name: string;
  readonly what: string;
  /** How many one run handles. */
  readonly messages: number;
  run(): Promise<void> | void;
  /** What needs no clock: makes room now and then. */
  tidy?(): void;
}
export interface Probes extends AsyncDisposable {
  readonly probes: readonly Probe[];
  /** Why some are not there. */
  readonly missing: readonly string[];
}

const node = "9f3c01aa27de4410";
const memoryDir = "/dev/shm";
/** Requests of one commit. */
const together = 64;

export async function openProbes(): Promise<Probes> {
  const pure = [...ingestProbes(), ...entryProbes(), ...deliverProbes()];
  if (!await Deno.stat(memoryDir).catch(() => undefined)) {
    return { probes: pure, missing: [`needs ${memoryDir}`], async [Symbol.asyncDispose]() {} };
  }
  const dir = await Deno.makeTempDir({ dir: memoryDir, prefix: "sparkngin-bench-" });
  const [writing, ones, hundreds] = [`${dir}/write`, `${dir}/ones`, `${dir}/hundreds`].map((dir) => new ProbedLog(dir));
  const [one, hundred] = [{ bytes: entryOf(1), count: 1 }, { bytes: entryOf(100), count: 100 }];
  await ones!.fill(one, 100_000);
  await hundreds!.fill(hundred, 2000);
  const logProbes = [
    writing!.writeProbe("writer-50x1", one, 50),
    writing!.writeProbe("writer-10x100", hundred, 10),
    ones!.readProbe("reader-1", "entries of one message"),
    hundreds!.readProbe("reader-100", "entries of 100 messages"),
  ];
  return {
    probes: [...pure, ...logProbes],
    missing: [],
    async [Symbol.asyncDispose]() {
      for (const log of [writing!, ones!, hundreds!]) await log.close();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** What the lines of the load become. */
function incoming(count: number): Incoming[] {
  return decodeEntry(entryOf(count)).map(({ data, dataIsJson, submittedMs, timestamp: _, ...fields }) => {
    return { fields, submittedMs, data, dataIsJson };
  });
}

function spanOf(text: string): Span {
  const bytes = new TextEncoder().encode(text);
  return { bytes, from: 0, to: bytes.length };
}

function queryInto(entry: EntryWriter, search: Span): void {
  entry.begin(entryHead);
  parseQuery(search, entry);
}

const http = defaults(sections.http);
function ingestProbes(): Probe[] {
  const search = spanOf(query.slice(query.indexOf("?") + 1));
  const hundred = new TextEncoder().encode(lines(100));
  const entry = new EntryWriter();
  return [
    { name: "parse-query", what: "parseQuery of the GET", messages: 1, run: () => queryInto(entry, search) },
    getProbe(),
    {
      name: "parse-json-100",
      what: "parseJson of 100 lines into an entry",
      messages: 100,
      run: () => parseInto(entry, hundred),
    },
  ];
}

/** All of a GET but HTTP: route, query, sender, entry, append, and the answer after the commit. */
function getProbe(): Probe {
  const log = new MemoryLog();
  const table = Table.allocate(0);
  table.set("state", nodeStates.indexOf("ready"));
  const clock = realWorld().clock;
  const deliveries = new Deliveries({ clock, setWaiters() {} });
  const handle = openRoutes({
    http,
    log,
    deliveries,
    clock,
    table,
    node,
    epoch: () => 1,
    version: "0",
    status: () => "{}",
  });
  return {
    name: "get",
    what: `a GET from the route to the answer, into a log in memory, ${together} a commit`,
    messages: together,
    async run() {
      let last;
      for (let i = 0; i < together; i++) last = handle(new QueryRequest());
      log.commit();
      const { status } = await last!;
      if (status !== 204) throw new Error(`The GET was answered with ${status}`);
    },
  };
}

const headers: Readonly<Record<string, string>> = {
  "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  referer: "http://www.example.com/some/page.html?x=1",
};

const headerSpans: Readonly<Record<string, Span>> = Object.fromEntries(
  Object.entries(headers).map(([name, value]) => [name, spanOf(value)]),
);

class QueryRequest implements HttpRequest {
  readonly method = "GET";
  readonly target = spanOf(query);
  readonly peer = "127.0.0.1";
  readonly secure = false;
  header(name: string): string | null {
    return headers[name] ?? null;
  }
  headerSpan(name: string): Span | undefined {
    return headerSpans[name];
  }
  headersFrom(): [] {
    return [];
  }
  async body(): Promise<Uint8Array> {
    return new Uint8Array(0);
  }
}

function entryProbes(): Probe[] {
  const [one, hundred] = [incoming(1), incoming(100)];
  const [oneEntry, hundredEntry] = [entryOf(1), entryOf(100)];
  return [
    {
      name: "encode-entry-1",
      what: "encodeEntry of one message",
      messages: 1,
      run: () => void encodeEntry(entryHead, one),
    },
    {
      name: "encode-entry-100",
      what: "encodeEntry of 100 messages",
      messages: 100,
      run: () => void encodeEntry(entryHead, hundred),
    },
    { name: "decode-entry-1", what: "decodeEntry of one message", messages: 1, run: () => void decodeEntry(oneEntry) },
    {
      name: "decode-entry-100",
      what: "decodeEntry of 100 messages",
      messages: 100,
      run: () => void decodeEntry(hundredEntry),
    },
  ];
}

function deliverProbes(): Probe[] {
  const messages = decodeEntry(entryOf(100));
  const format = formatter("json");
  return [
    {
      name: "format-json",
      what: "formatter json of 100 messages",
      messages: 100,
      run() {
        for (let i = 0; i < messages.length; i++) format(messages[i]!, `${node}-1-${i}`);
      },
    },
    selectProbe("select-1", 1, 500),
    selectProbe("select-100", 100, 5),
  ];
}

/** As a pump does it: decode, filter, name, format. */
function selectProbe(name: string, count: number, entries: number): Probe {
  const bytes = entryOf(count);
  const items = Array.from({ length: entries }, (_, i): Entry => {
    return { position: i * count as Position, count, epoch: 1, time: arrival, bytes };
  });
  const selector = { node, wants: filterOf(), format: formatter("json") };
  return {
    name,
    what: `select and format json of ${entries} entries of ${count}`,
    messages: entries * count,
    run() {
      const { batch } = select(items, { from: 0 as Position }, selector);
      if (batch.length !== entries * count) throw new Error(`Selected ${batch.length} of ${entries * count} messages`);
    },
  };
}
