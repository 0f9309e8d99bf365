/**
 * The endpoints of intake, as a function from request to answer. The hot one, `GET /log?…`, comes to the log without a promise
 * of its own, a `URL` or a map of headers.
 */
import { Buffer } from "node:buffer";
import type { Sections } from "../config/keys.ts";
import { identityText } from "../message/identity.ts";
import { decodeEntry, type EntryWriter, entryWriter, type Idempotency, tagOf } from "../message/wire.ts";
import { type BodyRules, parseBody } from "./body.ts";
import { attributesOf } from "./cloud_event.ts";
import { withCors } from "./cors.ts";
import { tooLarge } from "./encoding.ts";
import { bitOf } from "./fields.ts";
import { anybody, type Caller, type Gate } from "./gate.ts";
import {
  type Answer,
  BodyLost,
  type HttpRequest,
  json,
  NoRoom,
  pixel,
  type Span,
  text,
  TooLarge,
  withHeaders,
} from "./http.ts";
import { type Ack, diskAck, parseAck } from "./ack.ts";
import { BadRows } from "./bad_rows.ts";
import { type Asked, Intake, type IntakeParts, type Wish } from "./intake.ts";
import type { RequestIds } from "./known_ids.ts";
import { TextMemo } from "./memo.ts";
import { openApi } from "./openapi.ts";
import { type Once, Past, type PastParts, tooEarly } from "./past.ts";
import { badMessage, isProblem, type Problem, problemAnswer, quoted, shownName } from "./problem.ts";
import { dataOf, parseQuery, type Query } from "./query.ts";
import { readiness } from "./readiness.ts";
import { tooLong } from "./rules.ts";
import { type Fill, openSender } from "./sender.ts";
import { Topics } from "./topics.ts";
import { openVisitors, type Visit, type Visitors } from "./visitor.ts";

export type { Answer, HttpRequest } from "./http.ts";

export interface RouteParts extends IntakeParts, PastParts {
  readonly http: Sections["http"];
  /** Nothing where everybody may send, as much as it likes. */
  readonly gate?: Gate | undefined;
  /** Which topics were seen, if others want to know, too. */
  readonly topics?: Topics;
  /** Where requests are written; the one for all if left out. */
  readonly entry?: EntryWriter;
  readonly version: string;
  /** What everybody may know of this node, as JSON. */
  status(): string;
}
export type Handle = (request: HttpRequest) => Answer | Promise<Answer>;

export function openRoutes(parts: RouteParts): Handle {
  const routes = new Routes(parts);
  const handle: Handle = (request) => routes.handle(request);
  const origins = parts.http.cors_origins;
  return origins.length === 0 ? handle : withCors(handle, origins);
}

/** What a path leads to; `search` stands behind the "?". */
type Route = (request: HttpRequest, search: Span) => Answer | Promise<Answer>;

/** A request and who sent it. */
interface CallerAsked extends Asked {
  readonly caller: Caller;
  readonly identity?: Idempotency | undefined;
  readonly visit?: Visit | undefined;
}

/** Methods of endpoints that take messages, and of those that only tell. */
const writing = "GET, HEAD, OPTIONS, POST";
const telling = "GET, HEAD, OPTIONS";

const seen: Answer = Object.freeze({ status: 204, headers: Object.freeze({ "cache-control": "no-store" }) });

class Routes {
  readonly #parts: RouteParts;
  readonly #roots: readonly string[];
  readonly #paths: ReadonlyMap<string, Route>;
  readonly #intake: Intake;
  readonly #past: Past;
  readonly #topics: Topics;
  readonly #fill: Fill;
  readonly #entry: EntryWriter;
  readonly #gate: Gate | undefined;
  readonly #anybody: Caller;
  readonly #visitors: Visitors | undefined;
  readonly #path = new TextMemo();

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.#roots = parts.http.root === "" ? ["", "/sparkngin"] : [parts.http.root];
    this.#intake = new Intake(parts);
    this.#past = new Past(this.#intake, parts);
    this.#topics = parts.topics ?? new Topics(parts.http);
    this.#fill = openSender(parts.http);
    this.#entry = parts.entry ?? entryWriter;
    this.#gate = parts.gate;
    this.#anybody = anybody(parts.http.ack);
    this.#visitors = openVisitors(parts.http);
    this.#paths = this.#table();
  }

  handle(request: HttpRequest): Answer | Promise<Answer> {
    const { bytes, from, to } = request.target;
    let mark = from;
    while (mark < to && bytes[mark] !== questionMark) mark++;
    const path = this.#path.of(bytes, from, mark);
    const search = { bytes, from: Math.min(mark + 1, to), to };
    const route = this.#paths.get(path);
    if (route !== undefined) return route(request, search);
    if (path === "*" && request.method === "OPTIONS") return notAllowed("OPTIONS", writing);
    return this.#tracker(request, path, search) ?? notFound(path);
  }

  #table(): Map<string, Route> {
    const paths = new Map<string, Route>();
    const { table, log } = this.#parts;
    for (const root of this.#roots) {
      paths.set(`${root}/log`, (request, search) => this.#log(request, search));
      paths.set(`${root}/log.gif`, (request, search) => this.#pixel(request, search));
      const status = reading((request, search) => this.#status(request, search));
      for (const name of ["status", "stat"]) paths.set(`${root}/${name}`, status);
      paths.set(`${root}/imok`, reading(() => text("imok")));
      if (root !== "") paths.set(root, reading((request) => this.#welcome(request)));
    }
    const { version, http, gate } = this.#parts;
    const description = openApi({ version, root: http.root, keys: gate !== undefined && http.keys });
    for (const root of new Set(["", ...this.#roots])) {
      paths.set(`${root}/openapi.json`, reading(() => json(description)));
      paths.set(`${root}/`, reading((request) => this.#welcome(request)));
      paths.set(`${root}/livez`, reading(() => text("alive\n")));
      paths.set(`${root}/readyz`, reading(() => readiness(table, log, this.#gate)));
    }
    return paths;
  }

  #log(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    if (request.method === "GET") return this.#get(request, search);
    if (request.method === "POST") return this.#post(request, search);
    if (request.method === "HEAD") return seen;
    return notAllowed(request.method, writing);
  }

  #status(request: HttpRequest, search: Span): Answer {
    const problem = this.#gate?.reader(request, search);
    return problem === undefined ? json(this.#parts.status()) : this.#intake.refuse(problem);
  }

  /** One message, all in the query. */
  #get(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    const wish = request.header("accept")?.startsWith("image/") ? "pixel" : undefined;
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query);
    const caller = this.#caller(request, search, query);
    if (isProblem(caller)) return this.#intake.refuse(caller);
    const ack = this.#ack(request, query, caller);
    if (isProblem(ack)) return this.#intake.refuse(ack);
    if (query.onBad !== undefined) return this.#intake.refuse(onlyBodies);
    const asked = { wish: wish ?? wishOf(request, query), ack, caller };
    const key = this.#past.keyOf(request);
    if (key === null) return this.#takeQuery(request, search, query, asked);
    return this.#past.once({ key, sender: caller.name, parts: [bytesOf(search)] }, asked.wish, (once) => {
      this.#read(search, once.identity);
      return this.#takeQuery(request, search, query, { ...asked, ...once });
    });
  }

  /** The query was just read. */
  #takeQuery(request: HttpRequest, search: Span, query: Query, asked: CallerAsked): Answer | Promise<Answer> {
    if (query.id === undefined || !this.#past.looksForIds) return this.#take(request, query, asked);
    let isFresh = true;
    return this.#past.withIds(asked, (ids) => {
      if (!isFresh) this.#read(search, asked.identity);
      isFresh = false;
      return this.#take(request, query, { ...asked, ids });
    });
  }

  #pixel(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    if (request.method === "HEAD") return { ...pixel, body: undefined };
    if (request.method !== "GET") return notAllowed(request.method, telling);
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query, "pixel");
    const caller = this.#caller(request, search, query);
    if (isProblem(caller)) return this.#intake.refuse(caller, "pixel");
    const visit = this.#visitors?.(request);
    const answer = this.#takeQuery(request, search, query, { wish: "pixel", ack: diskAck, caller, visit });
    const cookie = visit?.setCookie;
    return cookie === undefined
      ? answer
      : Promise.resolve(answer).then((one) => withHeaders(one, { "set-cookie": cookie }));
  }

  /** Who sends it, or why that one may not. */
  #caller(request: HttpRequest, search: Span, { keyId }: Query): Caller | Problem {
    return this.#gate === undefined ? this.#anybody : this.#gate.writer(request, search, keyId);
  }

  /** `/tracker/{topic}/{site}`: the same as a pixel whose query begins with both. */
  #tracker(request: HttpRequest, path: string, search: Span): Answer | Promise<Answer> | undefined {
    for (const root of this.#roots) {
      if (!path.startsWith(`${root}/tracker/`)) continue;
      const [topic, site, ...more] = path.slice(root.length + "/tracker/".length).split("/");
      if (!topic || !site || more.length > 0) return undefined;
      return this.#pixel(request, behind(`topic=${asValue(topic)}&site=${asValue(site)}&`, search));
    }
    return undefined;
  }

  /** Begins the entry of a request with the fields of its query. From here to the append nothing is waited for. */
  #read(search: Span, idempotency?: Idempotency): Query | Problem {
    this.#entry.begin({ timestamp: this.#parts.clock.now(), idempotency });
    return parseQuery(search, this.#entry);
  }

  #ack(request: HttpRequest, query: Query, { ack }: Caller): Ack | Problem {
    const asked = parseAck(query.ack, ack);
    return isProblem(asked) || query.ack !== undefined ? asked : parseAck(request.header("sparkngin-ack"), ack);
  }

  #take(request: HttpRequest, query: Query, asked: CallerAsked): Answer | Promise<Answer> {
    const topic = this.#complete(request, query, asked.visit);
    const data = dataOf(query.others);
    this.#topics.begin();
    const problem = data.length > this.#parts.http.message_max
      ? tooLong(this.#parts.http.message_max)
      : this.#topics.admit(topic) ?? asked.caller.admit(topic!);
    if (problem !== undefined) return this.#intake.refuse(problem, asked.wish);
    this.#entry.open();
    this.#entry.data(data, 0, data.length, true);
    if (asked.ids?.isRepeat(identityText(topic!, query.id!)) === true) this.#entry.drop();
    else this.#entry.shut();
    return asked.ids?.tooEarly === true ? tooEarly : this.#store(asked);
  }

  async #post(request: HttpRequest, search: Span): Promise<Answer> {
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query);
    const caller = this.#caller(request, search, query);
    if (isProblem(caller)) return this.#intake.refuse(caller);
    const ack = this.#ack(request, query, caller);
    if (isProblem(ack)) return this.#intake.refuse(ack);
    for (const name of query.others.keys()) return this.#intake.refuse(stray(name));
    const diverts = this.#diverts(request, query);
    if (typeof diverts === "object") return this.#intake.refuse(diverts);
    const { body_max } = this.#parts.http;
    let body: Uint8Array;
    try {
      body = await request.body(body_max);
    } catch (problem) {
      return this.#intake.refuse(bodyProblem(problem, body_max));
    }
    const asked = { wish: wishOf(request, query), ack, caller };
    const take = (once?: Once) => {
      const all = { ...asked, ...once };
      return this.#past.withIds(all, (ids) => {
        // Other requests used the writer meanwhile.
        this.#read(search, once?.identity);
        const badRows = diverts ? this.#badRows() : undefined;
        return this.#takeBody(request, query, { ...all, badRows, ids }, body);
      });
    };
    const key = this.#past.keyOf(request);
    return key === null
      ? await take()
      : await this.#past.once({ key, sender: caller.name, parts: [bytesOf(search), body] }, asked.wish, take);
  }

  /** Whether bad lines are to become bad rows: by the query, else by the header. */
  #diverts(request: HttpRequest, { onBad }: Query): boolean | Problem {
    const asked = onBad ?? request.header("sparkngin-on-bad");
    if (asked === null || asked === "refuse") return false;
    if (asked !== "divert") return badMessage("on_bad", 'on_bad must be "refuse" or "divert"');
    return this.#parts.http.bad_topic === "" ? noBadRows : true;
  }

  #badRows(): BadRows {
    const { bad_topic, message_max, messages_max } = this.#parts.http;
    return new BadRows(bad_topic, { messageMax: message_max, messagesMax: messages_max });
  }

  #takeBody(request: HttpRequest, query: Query, asked: CallerAsked, body: Uint8Array): Answer | Promise<Answer> {
    const problem = this.#parse(request, body, { ...asked, topic: this.#complete(request, query) });
    if (problem !== undefined) return this.#intake.refuse(problem);
    if ((query.seen & idBit) !== 0 && this.#entry.count > 1) return this.#intake.refuse(oneId);
    const { ids } = asked;
    if (query.id !== undefined && ids !== undefined) this.#leaveOut(query.id, ids);
    return ids?.tooEarly === true ? tooEarly : this.#store(asked);
  }

  /** Of a request whose one message has the id of its query. */
  #leaveOut(id: string, ids: RequestIds): void {
    const [message] = ids.wereAsked ? [] : decodeEntry(this.#entry.bytes());
    if (message !== undefined && ids.isRepeat(identityText(message.topic, id))) this.#entry.rewind();
  }

  /** Puts what the query left open. Returns the topic of messages that name none. */
  #complete(request: HttpRequest, { topic, seen }: Query, visit?: Visit): string | undefined {
    const other = this.#parts.http.topic;
    if (topic === undefined && other !== "") this.#entry.text(topicTag, other);
    if (visit !== undefined && (seen & cookiesBit) === 0) this.#entry.text(cookiesTag, visit.cookies);
    this.#fill(this.#entry, visit === undefined ? seen : seen | cookiesBit, request);
    return topic ?? (other === "" ? undefined : other);
  }

  #parse(
    request: HttpRequest,
    bytes: Uint8Array,
    { topic, caller, badRows, ids }: CallerAsked & { readonly topic: string | undefined },
  ): Problem | undefined {
    const { http } = this.#parts;
    this.#topics.begin();
    const rules: BodyRules = {
      bodyMax: http.body_max,
      messageMax: http.message_max,
      messagesMax: http.messages_max,
      depthMax: http.depth_max,
      topic,
      badRows,
      ids,
      admit: (topic) => this.#topics.admit(topic) ?? caller.admit(topic!),
    };
    const body = {
      bytes,
      type: request.header("content-type"),
      encoding: request.header("content-encoding"),
      fromPage: () => request.header("origin") !== null,
      attributes: () => attributesOf(request),
    };
    return parseBody(body, rules, this.#entry);
  }

  #store(asked: CallerAsked): Answer | Promise<Answer> {
    const { caller, wish } = asked;
    const { count } = this.#entry;
    const problem = caller.over(count);
    if (problem !== undefined) return this.#intake.refuse(problem, wish);
    const answer = this.#intake.store(this.#entry, asked);
    this.#topics.keep();
    // Refused at once, they cost the sender nothing.
    if (asked.kept === undefined && (answer instanceof Promise || answer.status < 300)) caller.spend(count);
    return answer;
  }

  #welcome(request: HttpRequest): Answer {
    const host = request.header("host") ?? "";
    const server = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : this.#parts.http.listen;
    const log = `${request.secure ? "https" : "http"}://${server}${this.#roots[0]}/log`;
    const key = this.#parts.http.keys ? ' -H "Authorization: Bearer $KEY"' : "";
    return text(
      `Sparkngin takes messages over HTTP and delivers every one of them.\n\n` +
        `  curl -i${key} '${log}?topic=test&level=info&greeting=hello'\n` +
        `  curl -i${key} '${log}' -d '{"topic":"test","data":{"greeting":"hello"}}'\n`,
    );
  }
}

/** An endpoint that only tells. */
function reading(answer: Route): Route {
  return async (request, search) => {
    if (request.method === "GET") return await answer(request, search);
    if (request.method === "HEAD") return { ...await answer(request, search), body: undefined };
    return notAllowed(request.method, telling);
  };
}

/** Why there is no body to take. What is no reason for that is thrown again. */
function bodyProblem(problem: unknown, limit: number): Problem {
  if (problem instanceof TooLarge) return tooLarge(limit);
  if (problem instanceof NoRoom) return { code: "busy", detail: "The bodies of all requests take too much memory now" };
  if (problem instanceof BodyLost) return { code: "bad-request", detail: problem.message };
  throw problem;
}

function wishOf(request: HttpRequest, query: Query): Wish {
  if (query.receipt) return "receipt";
  const prefer = request.header("prefer");
  return prefer !== null && /(^|[,;\s])return="?representation\b/i.test(prefer) ? "receipt" : "nothing";
}

const questionMark = 0x3f;
const topicTag = tagOf("topic");
const cookiesTag = tagOf("cookies");
const idBit = bitOf("id");
const cookiesBit = bitOf("cookies");

function bytesOf({ bytes, from, to }: Span): Uint8Array {
  return bytes.subarray(from, to);
}

/** `text` and then the rest. */
function behind(text: string, { bytes, from, to }: Span): Span {
  const whole = Buffer.concat([Buffer.from(text), bytes.subarray(from, to)]);
  return { bytes: whole, from: 0, to: whole.length };
}

/** A segment of a path as the value of a parameter, where three letters mean something else. */
function asValue(segment: string): string {
  return segment.replaceAll("+", "%2B").replaceAll("&", "%26");
}

function stray(name: string): Problem {
  const detail = `Parameter ${quoted(name)} is no field of a message: beside a body, put it in "data"`;
  return badMessage(shownName(name), detail);
}

const onlyBodies = badMessage("on_bad", 'Parameter "on_bad" is for the lines of a body: send them by POST');
const noBadRows = badMessage("on_bad", "on_bad=divert is not allowed by this listener: it has no http.bad_topic");
const oneId = badMessage("id", 'Parameter "id" can stand for one message only: give each message of the body its own');

function notFound(path: string): Answer {
  return problemAnswer({ code: "not-found", detail: `There is no ${quoted(path)} here: see /` });
}

/** RFC 9110 9.3.7: OPTIONS is allowed everywhere, and is told the same. */
function notAllowed(method: string, allow: string): Answer {
  if (method === "OPTIONS") return { status: 204, headers: { allow, "cache-control": "no-store" } };
  return problemAnswer({ code: "method-not-allowed", detail: `${quoted(method)} is not among ${allow}` }, { allow });
}
