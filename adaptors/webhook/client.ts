/** One request at a time over a connection that is kept. Every wait ends, and no more of an answer is read than is of use. */
import { lookup as resolve } from "node:dns";
import { Agent, type ClientRequest, type IncomingMessage, request as plainRequest } from "node:http";
import { Agent as TLSAgent, request as tlsRequest } from "node:https";
import { connect, isIP, type LookupFunction } from "node:net";
import { connect as connectTLS } from "node:tls";
import type { Clock } from "../../src/os/world.ts";
import { distrustOf, inWords } from "../reason.ts";
import type { Egress } from "./egress.ts";
import type { Answer } from "./verdict.ts";
import type { Request } from "./wire.ts";

export interface Access {
  readonly url: URL;
  readonly egress: Egress;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const headBytesMax = 16_384;
/** Of an answer's body. A sentence is shown; what fits here is read, so that the connection can be used again. */
const textBytesMax = 16_384;

export class Client {
  readonly #access: Access;
  readonly #agent: Agent | TLSAgent;
  closed = false;

  constructor(access: Access) {
    this.#access = access;
    const kept = { keepAlive: true, maxSockets: 1 };
    this.#agent = access.url.protocol === "https:" ? new TLSAgent(kept) : new Agent(kept);
  }

  /**
   * Rejects when there is no whole head of an answer: the messages may have arrived or not. Over a connection that was kept and
   * turns out to be dead, the library sends the request once more by itself.
   */
  async post(request: Request, signal: AbortSignal): Promise<Answer> {
    const { clock, timeoutMs, url } = this.#access;
    if (this.closed) throw new Error("Cannot send: the connection is closed");
    signal.throwIfAborted();
    this.#assertAddress();
    const done = new AbortController();
    const sent = this.#open(request);
    const cut = (why: string) => sent.destroy(new Error(why));
    const stopped = () => cut("told to stop");
    signal.addEventListener("abort", stopped, { once: true });
    void clock.sleep(timeoutMs, done.signal).then(() => done.signal.aborted || cut(`no answer within ${timeoutMs} ms`));
    try {
      return await answerTo(sent, request.body);
    } catch (problem) {
      throw new Error(`Cannot send to ${url.origin}: ${await this.#reasonOf(problem)}`, { cause: problem });
    } finally {
      done.abort();
      signal.removeEventListener("abort", stopped);
    }
  }

  /** Whether somebody is there, and is who it should be; nothing is asked. */
  async reach(signal: AbortSignal): Promise<void> {
    const { url, tls, clock, timeoutMs } = this.#access;
    this.#assertAddress();
    const secure = url.protocol === "https:";
    const host = hostIn(url);
    const to = { host, port: Number(url.port || (secure ? 443 : 80)), lookup: this.#lookup };
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = secure ? connectTLS({ ...to, ...tls, ...name }) : connect(to);
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    void clock.sleep(timeoutMs, either).then(() =>
      done.signal.aborted || socket.destroy(new Error("no answer in time"))
    );
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(secure ? "secureConnect" : "connect", () => resolve());
        socket.on("error", reject);
        socket.on("close", () => reject(new Error("the connection was closed")));
      });
    } catch (problem) {
      throw new Error(`Cannot reach ${url.origin}: ${await this.#reasonOf(problem)}`, { cause: problem });
    } finally {
      done.abort();
      socket.destroy();
    }
  }

  close(): void {
    this.closed = true;
    this.#agent.destroy();
  }

  #open({ headers }: Request): ClientRequest {
    const { url, tls } = this.#access;
    const options = {
      method: "POST",
      agent: this.#agent,
      headers: { ...headers },
      maxHeaderSize: headBytesMax,
      lookup: this.#lookup,
    };
    return url.protocol === "https:" ? tlsRequest(url, { ...options, ...tls }) : plainRequest(url, options);
  }

  async #reasonOf(problem: unknown): Promise<string> {
    const { url, tls, clock } = this.#access;
    const server = async () => {
      const name = hostIn(url);
      const host = isIP(name) === 0 ? await this.#allowedAddress(name) : name;
      return { host, name, port: Number(url.port || 443), ...(tls.ca !== undefined && { ca: tls.ca }) };
    };
    return await distrustOf(problem, server, clock) ?? reasonOf(problem);
  }

  #allowedAddress(name: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#lookup(name, {}, (problem, address) => problem ? reject(problem) : resolve(String(address)));
    });
  }

  /** An address in the URL is never looked up. */
  #assertAddress(): void {
    const { url, egress } = this.#access;
    const host = hostIn(url);
    const refusal = isIP(host) === 0 ? undefined : egress.refusal(host, host);
    if (refusal !== undefined) throw new Error(`Cannot send to ${url.origin}: it is at ${host}, ${refusal}`);
  }

  /** What was looked up and allowed is what is connected to: nobody looks it up again. */
  readonly #lookup: LookupFunction = (host, options, callback) => {
    resolve(host, { ...options, all: true }, (problem, found) => {
      if (problem) return callback(problem, "");
      const refusals = found.map(({ address }) => this.#access.egress.refusal(host, address));
      const [first, ...others] = found.filter((_, at) => refusals[at] === undefined);
      if (first === undefined) {
        const where = found[0]?.address ?? "no address";
        return callback(new Error(`it is at ${where}, ${refusals[0] ?? "so nobody is there"}`), "");
      }
      if (options.all) callback(null, [first, ...others]);
      else callback(null, first.address, first.family);
    });
  };
}

/** Without the brackets of an IPv6 address. */
function hostIn(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function answerTo(sent: ClientRequest, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    sent.on("error", reject);
    let answered = false;
    // A request whose connection may be used again closes before its answer has been read.
    sent.on("close", () => answered || reject(new Error("the connection ended without an answer")));
    // An answer that changes the protocol has no body and no end.
    sent.on("upgrade", (_answer, socket) => {
      socket.destroy();
      reject(new Error("it wants to speak another protocol"));
    });
    sent.on("response", (answer) => {
      answered = true;
      answer.on("error", () => {});
      readText(answer).then((text) => resolve(read(answer, text)), reject);
    });
    sent.end(body);
  });
}

function read({ statusCode = 0, headers }: IncomingMessage, text: string): Answer {
  return { status: statusCode, retryAfter: headers["retry-after"], location: headers.location, text };
}

/** A body that breaks off says as much as it said: the status is what counts. */
function readText(answer: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Uint8Array[] = [];
    let bytes = 0;
    const done = () => resolve(new TextDecoder().decode(joined(pieces)).slice(0, 2000));
    answer.on("data", (piece: Uint8Array) => {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes <= textBytesMax) return;
      answer.destroy();
      done();
    });
    for (const end of ["end", "aborted", "close", "error"]) answer.on(end, done);
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** What the system says, without what an answer may have brought into it. */
function reasonOf(problem: unknown): string {
  const text = problem instanceof Error ? problem.message : String(problem);
  return inWords(text).replace(/[^\x20-\x7e]/g, "?").slice(0, 300) || "the connection broke";
}
