/**
 * [shell] The management address: status, metrics, health and the live tail over HTTP, and orders to destinations. It asks for
 * keys only when told to, so on loopback it answers only to who calls it by a loopback name: a web page whose own name was made to
 * point here (DNS rebinding) gets nothing. An order must come as JSON, which a page of another origin cannot send unasked.
 */
import { Buffer } from "node:buffer";
import { Hono } from "hono";
import { type Denial, isDenial, keyOf, lacking } from "../access/door.ts";
import { mayAdminister, mayRead } from "../access/key.ts";
import type { KeyRing } from "../access/key_ring.ts";
import { type Address, formatAddress, isLoopback, parseAddress } from "../config/address.ts";
import { type Order, orderNames, type Outcome } from "../deliver/control.ts";
import { type LetterFilter, letterFilterNames } from "../deliver/letter_filter.ts";
import {
  letterForms,
  type LetterOrder,
  letterOrderNames,
  type LetterOutcome,
  type LetterPage,
} from "../deliver/letter_order.ts";
import { filterNames } from "../message/filter.ts";
import type { Clock } from "../os/world.ts";
import { metricsType } from "./metrics.ts";
import { fieldsIn, isUnfit, queryOf, strayParameter, type Unfit } from "./order_body.ts";
import { problem } from "./problem.ts";
import { type ReloadFacts, reloadStatus } from "./status.ts";
import { type TailFilter, type TailForm, type TailLimits, tailLimits, type TailSource, tailStream } from "./tail.ts";

export interface ManagementParts {
  /** Checked by the configuration: `host:port`. */
  readonly listen: string;
  readonly clock: Clock;
  /** Where everybody who reaches us may ask, there are none. */
  readonly keys?: KeyRing | undefined;
  status(): object;
  metrics(): string;
  /** Why a request would be turned away now, or nothing. */
  ready(): string | undefined;
  /** Resolves when the destination has carried it out, durably, or says why not; with nothing when there is none of that name. */
  order(destination: string, order: Order): Promise<Outcome | undefined>;
  /** Reads the configuration again. Never rejects. */
  reload(): Promise<ReloadFacts>;
  /** The same for its dead letters. */
  letters(destination: string, order: LetterOrder): Promise<LetterOutcome | undefined>;
  readonly tail: TailSource;
  readonly tailLimits?: TailLimits;
  /** Something went wrong while answering. */
  report(problem: unknown): void;
}
export interface Management {
  readonly address: string;
  readonly port: number;
  /** Ends the tails and answers what is under way, for half a second at most. */
  shutdown(): Promise<void>;
}

/** Rejects when the address cannot be listened on. */
export async function openManagement(parts: ManagementParts): Promise<Management> {
  const wanted = parseAddress(parts.listen)!;
  const stop = new AbortController();
  const app = managementApp(parts, stop.signal);
  const listening = new Listening(parts, (request) => app.fetch(request), stop.signal);
  const port = listening.begin(wanted);
  return {
    address: formatAddress({ host: wanted.host, port }),
    port,
    async shutdown() {
      stop.abort();
      await Promise.race([listening.end(), parts.clock.sleep(500)]);
    },
  };
}

type Handler = (request: Request) => Response | Promise<Response>;

const listenAgainMs = 500;

/** The system's server ends when it cannot take a connection, e.g. for want of a handle: then it is begun again. */
class Listening {
  readonly #parts: Pick<ManagementParts, "clock" | "report">;
  readonly #handler: Handler;
  readonly #stopping: AbortSignal;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;

  constructor(parts: Pick<ManagementParts, "clock" | "report">, handler: Handler, stopping: AbortSignal) {
    this.#parts = parts;
    this.#handler = handler;
    this.#stopping = stopping;
  }

  /** The port. */
  begin(address: Address): number {
    this.#server = listen(address, this.#handler);
    const { port } = this.#server.addr;
    void this.#keepUp({ host: address.host, port });
    return port;
  }

  async end(): Promise<void> {
    await this.#server?.shutdown();
  }

  async #keepUp(address: Address): Promise<void> {
    while (!this.#stopping.aborted) {
      try {
        await this.#server?.finished;
        if (this.#server !== undefined) return;
        this.#server = listen(address, this.#handler);
      } catch (problem) {
        // Said once, however often it is tried.
        if (this.#server !== undefined) this.#parts.report(problem);
        this.#server = undefined;
        await this.#parts.clock.sleep(listenAgainMs, this.#stopping);
      }
    }
  }
}

function listen({ host, port }: Address, handler: Handler): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname: host, port, onListen() {} }, handler);
  } catch (problem) {
    const reason = problem instanceof Deno.errors.AddrInUse ? "something else listens there" : String(problem);
    const what = `Cannot listen on ${formatAddress({ host, port })} for management: ${reason}`;
    throw new Error(`${what}; choose another with management.listen`, { cause: problem });
  }
}

const contents = `Sparkngin management. What there is:
GET /status               the node and its destinations, as JSON
GET /metrics              the same for Prometheus
GET /livez                200 while the process runs
GET /readyz               200 while messages are taken, else 503 and why
GET /tail?topic=PATTERN   messages as they come in, a line of JSON each; env, level and type too;
                          with Accept: text/event-stream as server-sent events
POST /destinations/NAME/pause, resume, rewind, skip
                          with Content-Type: application/json; rewind and skip with {"to": POSITION or TIME}
POST /reload              reads the configuration again, and says what came of it; Content-Type as above
GET /destinations/NAME/dead
                          its dead letters, a line of JSON each; ?form=letters with their messages, json or raw the
                          messages alone; by reason, topic, since, until, position
POST /destinations/NAME/dead/replay, purge
                          with Content-Type: application/json; which ones as above, e.g. {"topic": "web.*"}; {} is all
`;
const tailsMax = 16;
const tailTypes: Readonly<Record<TailForm, string>> = { lines: "application/x-ndjson", events: "text/event-stream" };

/** The routes, without a port. `stop` ends the tails. */
export function managementApp(parts: ManagementParts, stop: AbortSignal): Hono {
  const app = new Hono();
  const host = parseAddress(parts.listen)!.host;
  app.use(async (context, next) => {
    if (!mayAsk(context.req.header("host"), host)) {
      return context.text("Not by this name: ask for 127.0.0.1 or localhost.\n", 421);
    }
    await next();
    // Compressed, lines of the tail would wait for each other.
    context.header("Cache-Control", "no-store, no-transform");
    context.header("X-Content-Type-Options", "nosniff");
  });
  if (parts.keys) askForKeys(app, parts.keys);
  app.get("/", (context) => context.text(contents));
  app.get("/status", (context) => {
    const stray = strayParameter(context.req.url, []);
    return stray === undefined ? context.json(parts.status()) : unfit(stray);
  });
  app.get("/metrics", (context) => context.body(parts.metrics(), 200, { "Content-Type": metricsType }));
  app.get("/livez", (context) => context.text("ok\n"));
  app.get("/readyz", (context) => {
    const reason = parts.ready();
    return reason === undefined ? context.text("ok\n") : context.text(`${reason}\n`, 503);
  });
  routeTail(app, parts, stop);
  routeOrders(app, parts);
  routeLetters(app, parts);
  refuseOtherMethods(app);
  app.notFound((context) => context.text("There is no such thing here; GET / lists what there is.\n", 404));
  app.onError((problem, context) => {
    parts.report(problem);
    return context.text("Cannot answer: something unexpected happened, see the log of sparkngin.\n", 500);
  });
  return app;
}

/** What is there for another method is no 404. */
function refuseOtherMethods(app: Hono): void {
  const refuse = (paths: readonly string[], allow: string) => {
    const detail = `Ask with ${allow.replace(", ", " or ")}`;
    for (const path of paths) app.all(path, () => problem(405, detail, { Allow: allow }));
  };
  const looks = ["/", "/status", "/metrics", "/livez", "/readyz", "/tail", "/destinations/:name/dead"];
  refuse(looks, "GET, HEAD");
  const orders = [...orderNames, ...letterOrderNames.map((name) => `dead/${name}`)];
  refuse(["/reload", ...orders.map((order) => `/destinations/:name/${order}`)], "POST");
}

/** What balancers and orchestrators ask stays open: it tells nothing. */
const openPaths = ["/livez", "/readyz"];

function askForKeys(app: Hono, ring: KeyRing): void {
  app.use(async (context, next) => {
    const denial = openPaths.includes(context.req.path) ? undefined : denialOf(ring, context.req.raw);
    return denial === undefined ? await next() : problem(denial.status, denial.detail, denial.headers);
  });
}

function denialOf(ring: KeyRing, { headers, url, method }: Request): Denial | undefined {
  const query = Buffer.from(new URL(url).search);
  const key = keyOf(ring, { authorization: headers.get("authorization"), keyId: undefined, query });
  if (isDenial(key)) return key;
  if (method === "GET" || method === "HEAD") return mayRead(key) ? undefined : lacking(key, "read");
  return mayAdminister(key) ? undefined : lacking(key, "admin");
}

function routeTail(app: Hono, parts: ManagementParts, stop: AbortSignal): void {
  const { tail, clock, tailLimits: limits = tailLimits } = parts;
  let open = 0;
  app.get("/tail", (context) => {
    // A word that was misspelt would show everybody's messages.
    const stray = strayParameter(context.req.url, filterNames);
    if (stray !== undefined) return unfit(stray);
    const form = context.req.header("accept")?.includes(tailTypes.events) ? "events" : "lines";
    const headers = { "Content-Type": tailTypes[form], "Vary": "Accept" };
    // Nobody would read, and so nobody would ever end, the tail behind the answer to a HEAD.
    if (context.req.method === "HEAD") return context.body(null, 200, headers);
    if (open >= tailsMax) {
      return context.text(`There are ${tailsMax} tails open already.\n`, 503, { "Retry-After": "10" });
    }
    const filter = filterIn((name) => context.req.query(name));
    const watched = watch((signal) => tail(signal, filter), { begun: () => open++, ended: () => open--, ...parts });
    return context.body(tailStream(watched, { clock, limits, signal: stop, form }), 200, headers);
  });
}

function filterIn(query: (name: string) => string | undefined): TailFilter {
  const given = filterNames.map((name) => [name, query(name)] as const);
  return Object.fromEntries(given.filter(([, pattern]) => pattern));
}

const orderBytesMax = 4096;
/** What a refusal is in HTTP. */
const refusals = { bad: 400, impossible: 409, unavailable: 503 } as const;

function routeOrders(app: Hono, { order, reload }: ManagementParts): void {
  app.post("/reload", async (context) => {
    const given = await bodyOf(context.req.raw, "reload", []);
    return given instanceof Response ? given : context.json(reloadStatus(await reload()));
  });
  app.post("/destinations/:name/:what", async (context, next) => {
    const { name, what } = context.req.param();
    if (!isOneOf(orderNames, what)) return await next();
    const given = await bodyOf(context.req.raw, what, what === "rewind" || what === "skip" ? ["to"] : []);
    if (given instanceof Response) return given;
    const asked = orderOf(what, given);
    if (asked === undefined) return problem(400, `Expected {"to": POSITION or TIME} as the body of ${what}`);
    const outcome = await order(name, asked);
    if (outcome === undefined) return problem(404, `There is no destination ${JSON.stringify(name)}`);
    return "refused" in outcome ? problem(refusals[outcome.refused], outcome.why) : context.json({ name, ...outcome });
  });
}

/** The fields that an order brings, or how it is refused. */
async function bodyOf(
  request: Request,
  order: string,
  known: readonly string[],
): Promise<Readonly<Record<string, unknown>> | Response> {
  if (!isJson(request)) return problem(415, "Send it with Content-Type: application/json");
  const given = queryOf(request.url, order) ?? fieldsIn(await readSome(request, orderBytesMax), order, known);
  return isUnfit(given) ? unfit(given) : given;
}

function unfit({ why }: Unfit): Response {
  return problem(400, why);
}

function isJson({ headers }: Request): boolean {
  return /^application\/json\s*(;|$)/i.test(headers.get("content-type") ?? "");
}

function routeLetters(app: Hono, { letters, report }: ManagementParts): void {
  app.get("/destinations/:name/dead", async (context) => {
    const { name } = context.req.param();
    const stray = strayParameter(context.req.url, ["form", ...letterFilterNames]);
    if (stray !== undefined) return unfit(stray);
    const form = context.req.query("form") ?? "heads";
    if (!isOneOf(letterForms, form)) return problem(400, `Cannot write letters as ${JSON.stringify(form)}`);
    const given = letterFilterNames.map((key) => [key, context.req.query(key)] as const);
    const order = { do: "list", form, filter: Object.fromEntries(given.filter(([, value]) => value)) } as const;
    const first = await letters(name, { ...order, from: 0 });
    if (first === undefined) return problem(404, `There is no destination ${JSON.stringify(name)}`);
    if ("refused" in first) return problem(refusals[first.refused], first.why);
    const type = form === "raw" ? "application/octet-stream" : "application/x-ndjson";
    if (context.req.method === "HEAD") return context.body(null, 200, { "Content-Type": type });
    const more = (from: number) => letters(name, { ...order, from });
    return context.body(streamOf(first as LetterPage, more, report), 200, { "Content-Type": type });
  });
  app.post("/destinations/:name/dead/:what", async (context, next) => {
    const { name, what } = context.req.param();
    if (!isOneOf(letterOrderNames, what)) return await next();
    const given = await bodyOf(context.req.raw, what, letterFilterNames);
    if (given instanceof Response) return given;
    const filter = letterFilterOf(given);
    if (isUnfit(filter)) return unfit(filter);
    const outcome = await letters(name, { do: what, filter });
    if (outcome === undefined) return problem(404, `There is no destination ${JSON.stringify(name)}`);
    return "refused" in outcome ? problem(refusals[outcome.refused], outcome.why) : context.json({ name, ...outcome });
  });
}

/** Page after page, each when the one before has been read. What breaks off is not ended as if it were whole. */
function streamOf(
  first: LetterPage,
  more: (from: number) => Promise<LetterOutcome | undefined>,
  report: (problem: unknown) => void,
): ReadableStream<Uint8Array> {
  let page: LetterPage | undefined = first;
  return new ReadableStream({
    async pull(controller) {
      while (page !== undefined) {
        const { lines, next } = page;
        const following = next === undefined ? undefined : await more(next);
        if (following !== undefined && "refused" in following) {
          report(new Error(`dead letters: ${following.why}`));
          return controller.error(new Error(following.why));
        }
        page = following as LetterPage | undefined;
        if (lines.length > 0) return controller.enqueue(lines);
      }
      controller.close();
    },
  }, { highWaterMark: 0 });
}

function letterFilterOf(given: Readonly<Record<string, unknown>>): LetterFilter | Unfit {
  const filter: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const text = Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== "string") return { why: `Expected a text as ${name}` };
    filter[name] = text;
  }
  return filter;
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return (words as readonly string[]).includes(word);
}

function orderOf(what: Order["do"], { to }: Readonly<Record<string, unknown>>): Order | undefined {
  if (what === "pause" || what === "resume") return { do: what };
  const text = Number.isSafeInteger(to) ? String(to) : to;
  return typeof text === "string" ? { do: what, to: text } : undefined;
}

/** The body, if it is no longer than that. */
async function readSome({ body }: Request, bytesMax: number): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

interface Watcher {
  begun(): void;
  ended(): void;
  report(problem: unknown): void;
}

function watch(source: (signal: AbortSignal) => AsyncIterable<Uint8Array>, { begun, ended, report }: Watcher) {
  return async function* (signal: AbortSignal): AsyncIterable<Uint8Array> {
    begun();
    try {
      yield* source(signal);
    } catch (problem) {
      report(problem);
      throw problem;
    } finally {
      ended();
    }
  };
}

/** Beyond loopback the operator has said that anybody may ask. A request without the header comes from no browser. */
function mayAsk(header: string | undefined, listening: string): boolean {
  if (header === undefined || !isLoopback(listening)) return true;
  const asked = parseAddress(/:\d+$/.test(header) ? header : `${header}:80`)?.host.toLowerCase();
  return asked !== undefined && (isLoopback(asked) || asked === listening.toLowerCase());
}
