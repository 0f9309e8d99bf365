/**
 * The endpoints of intake, as a function from request to answer. The hot one, `GET /log?…`, comes to the log without a promise
 * of its own, a `URL` or a map of headers.
 */
import { Buffer } from "node:buffer";
import type { Sections } from "../config/keys.ts";
import { LogFull, type LogWriter } from "../log/mod.ts";
import { entryWriter, tagOf } from "../message/wire.ts";
import { type NodeState, nodeStates, type Table } from "../observe/table.ts";
import { type BodyRules, parseBody } from "./body.ts";
import { tooLarge } from "./encoding.ts";
import { bitOf } from "./fields.ts";
import { type Answer, BodyLost, type HttpRequest, json, NoRoom, pixel, type Span, text, TooLarge } from "./http.ts";
import { type Ack, diskAck, parseAck } from "./ack.ts";
import { type Asked, Intake, type IntakeParts, type Wish } from "./intake.ts";
import { TextMemo } from "./memo.ts";
import { badMessage, isProblem, type Problem, problemAnswer, quoted, shownName } from "./problem.ts";
import { dataOf, parseQuery, type Query } from "./query.ts";
import { tooLong } from "./rules.ts";
import { type Fill, openSender } from "./sender.ts";
import { Topics } from "./topics.ts";

export type { Answer, HttpRequest } from "./http.ts";

export interface RouteParts extends IntakeParts {
  readonly http: Sections["http"];
  /** What everybody may know of this node, as JSON. */
  status(): string;
}
export type Handle = (request: HttpRequest) => Answer | Promise<Answer>;

export function openRoutes(parts: RouteParts): Handle {
  const routes = new Routes(parts);
  return (request) => routes.handle(request);
}

/** What a path leads to; `search` stands behind the "?". */
type Route = (request: HttpRequest, search: Span) => Answer | Promise<Answer>;

const seen: Answer = Object.freeze({ status: 204, headers: Object.freeze({ "cache-control": "no-store" }) });

class Routes {
  readonly #parts: RouteParts;
  readonly #roots: readonly string[];
  readonly #paths: ReadonlyMap<string, Route>;
  readonly #intake: Intake;
  readonly #topics: Topics;
  readonly #fill: Fill;
  readonly #path = new TextMemo();

  constructor(parts: RouteParts) {
    this.#parts = parts;
    this.#roots = parts.http.root === "" ? ["", "/sparkngin"] : [parts.http.root];
    this.#intake = new Intake(parts);
    this.#topics = new Topics(parts.http);
    this.#fill = openSender(parts.http);
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
    return this.#tracker(request, path, search) ?? notFound(path);
  }

  #table(): Map<string, Route> {
    const paths = new Map<string, Route>();
    const { status, table, log } = this.#parts;
    for (const root of this.#roots) {
      paths.set(`${root}/log`, (request, search) => this.#log(request, search));
      paths.set(`${root}/log.gif`, (request, search) => this.#pixel(request, search));
      for (const name of ["status", "stat"]) paths.set(`${root}/${name}`, reading(() => json(status())));
      paths.set(`${root}/imok`, reading(() => text("imok")));
      if (root !== "") paths.set(root, reading((request) => this.#welcome(request)));
    }
    for (const root of new Set(["", ...this.#roots])) {
      paths.set(`${root}/`, reading((request) => this.#welcome(request)));
      paths.set(`${root}/livez`, reading(() => text("alive\n")));
      paths.set(`${root}/readyz`, reading(() => readiness(table, log)));
    }
    return paths;
  }

  #log(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    if (request.method === "GET") return this.#get(request, search);
    if (request.method === "POST") return this.#post(request, search);
    if (request.method === "HEAD") return seen;
    return notAllowed(request.method, "GET, HEAD, POST");
  }

  /** One message, all in the query. */
  #get(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    const wish = request.header("accept")?.startsWith("image/") ? "pixel" : undefined;
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query);
    const ack = this.#ack(request, query);
    if (isProblem(ack)) return this.#intake.refuse(ack);
    return this.#take(request, query, { wish: wish ?? wishOf(request, query), ack });
  }

  #pixel(request: HttpRequest, search: Span): Answer | Promise<Answer> {
    if (request.method === "HEAD") return { ...pixel, body: undefined };
    if (request.method !== "GET") return notAllowed(request.method, "GET, HEAD");
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query, "pixel");
    return this.#take(request, query, { wish: "pixel", ack: diskAck });
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
  #read(search: Span): Query | Problem {
    entryWriter.begin({ timestamp: this.#parts.clock.now() });
    return parseQuery(search, entryWriter);
  }

  #ack(request: HttpRequest, query: Query): Ack | Problem {
    const { ack } = this.#parts.http;
    const asked = parseAck(query.ack, ack);
    return isProblem(asked) || query.ack !== undefined ? asked : parseAck(request.header("sparkngin-ack"), ack);
  }

  #take(request: HttpRequest, query: Query, asked: Asked): Answer | Promise<Answer> {
    const topic = this.#complete(request, query);
    const data = dataOf(query.others);
    this.#topics.begin();
    const problem = data.length > this.#parts.http.message_max
      ? tooLong(this.#parts.http.message_max)
      : this.#topics.admit(topic);
    if (problem !== undefined) return this.#intake.refuse(problem, asked.wish);
    entryWriter.open();
    entryWriter.data(data, 0, data.length, true);
    entryWriter.shut();
    return this.#store(asked);
  }

  async #post(request: HttpRequest, search: Span): Promise<Answer> {
    const query = this.#read(search);
    if (isProblem(query)) return this.#intake.refuse(query);
    const ack = this.#ack(request, query);
    if (isProblem(ack)) return this.#intake.refuse(ack);
    for (const name of query.others.keys()) return this.#intake.refuse(stray(name));
    const body = await bodyOf(request, this.#parts.http.body_max);
    if (isProblem(body)) return this.#intake.refuse(body);
    // Other requests used the writer meanwhile.
    this.#read(search);
    const problem = this.#parse(request, body, this.#complete(request, query));
    if (problem !== undefined) return this.#intake.refuse(problem);
    if ((query.seen & idBit) !== 0 && entryWriter.count > 1) return this.#intake.refuse(oneId);
    return this.#store({ wish: wishOf(request, query), ack });
  }

  /** Puts what the query left open. Returns the topic of messages that name none. */
  #complete(request: HttpRequest, { topic, seen }: Query): string | undefined {
    const other = this.#parts.http.topic;
    if (topic === undefined && other !== "") entryWriter.text(topicTag, other);
    this.#fill(entryWriter, seen, request);
    return topic ?? (other === "" ? undefined : other);
  }

  #parse(request: HttpRequest, bytes: Uint8Array, topic: string | undefined): Problem | undefined {
    const { http } = this.#parts;
    this.#topics.begin();
    const rules: BodyRules = {
      bodyMax: http.body_max,
      messageMax: http.message_max,
      messagesMax: http.messages_max,
      depthMax: http.depth_max,
      topic,
      admit: (topic) => this.#topics.admit(topic),
    };
    const body = { bytes, type: request.header("content-type"), encoding: request.header("content-encoding") };
    return parseBody(body, rules, entryWriter);
  }

  #store(asked: Asked): Answer | Promise<Answer> {
    const answer = this.#intake.store(entryWriter, asked);
    this.#topics.keep();
    return answer;
  }

  #welcome(request: HttpRequest): Answer {
    const host = request.header("host") ?? "";
    const server = /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? host : this.#parts.http.listen;
    const log = `${request.secure ? "https" : "http"}://${server}${this.#roots[0]}/log`;
    return text(
      `Sparkngin takes messages over HTTP and delivers every one of them.\n\n` +
        `  curl -i '${log}?topic=test&level=info&greeting=hello'\n` +
        `  curl -i '${log}' -d '{"topic":"test","data":{"greeting":"hello"}}'\n`,
    );
  }
}

/** Not ready exactly when a request would get 503: where no commit of late has shown that the log works, one is made. */
async function readiness(table: Table, log: LogWriter): Promise<Answer> {
  const state = nodeStates[table.get("state")]!;
  if (state === "starting" || state === "stopping") return problemAnswer(notReady[state]);
  try {
    await log.probe();
    return text("ready\n");
  } catch (problem) {
    return problemAnswer(problem instanceof LogFull ? notReady.full : notReady.stopped);
  }
}

const notReady: Readonly<Record<Exclude<NodeState, "ready">, Problem>> = {
  starting: { code: "starting", detail: "The log is being read; messages are taken soon" },
  full: { code: "disk-full", detail: "There is no room for messages now" },
  stopped: { code: "log-stopped", detail: "The log takes no messages now" },
  stopping: { code: "stopping", detail: "This server is going away" },
};

/** An endpoint that only tells. */
function reading(answer: (request: HttpRequest) => Answer | Promise<Answer>): Route {
  return async (request) => {
    if (request.method === "GET") return await answer(request);
    if (request.method === "HEAD") return { ...await answer(request), body: undefined };
    return notAllowed(request.method, "GET, HEAD");
  };
}

async function bodyOf(request: HttpRequest, limit: number): Promise<Uint8Array | Problem> {
  try {
    return await request.body(limit);
  } catch (problem) {
    if (problem instanceof TooLarge) return tooLarge(limit);
    if (problem instanceof NoRoom) {
      return { code: "busy", detail: "The bodies of all requests take too much memory now" };
    }
    if (problem instanceof BodyLost) return { code: "bad-request", detail: problem.message };
    throw problem;
  }
}

function wishOf(request: HttpRequest, query: Query): Wish {
  if (query.receipt) return "receipt";
  const prefer = request.header("prefer");
  return prefer !== null && /(^|[,;\s])return="?representation\b/i.test(prefer) ? "receipt" : "nothing";
}

const questionMark = 0x3f;
const topicTag = tagOf("topic");
const idBit = bitOf("id");

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

const oneId = badMessage("id", 'Parameter "id" can stand for one message only: give each message of the body its own');

function notFound(path: string): Answer {
  return problemAnswer({ code: "not-found", detail: `There is no ${quoted(path)} here: see /` });
}

function notAllowed(method: string, allow: string): Answer {
  return problemAnswer({ code: "method-not-allowed", detail: `${quoted(method)} is not among ${allow}` }, { allow });
}
