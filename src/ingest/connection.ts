/**
 * One HTTP/1.1 connection: reads heads and bodies, hands requests to the routes, writes the answers in order. Knows a stream of
 * bytes, not where it comes from. Time limits are watched from outside, by `overdue`.
 */
import { Buffer } from "node:buffer";
import { codeOf } from "../os/world.ts";
import type { BodyRoom } from "./body_room.ts";
import { BadChunk, ChunkedBody } from "./chunked.ts";
import { type Bytes, earlyProblem, type Head, headEnd, parseHead } from "./head.ts";
import { type Answer, BodyLost, NoRoom, TooLarge } from "./http.ts";
import { isProblem, type Problem, problemAnswer } from "./problem.ts";
import { continueBytes, replyBytes } from "./reply.ts";
import type { Handle } from "./routes.ts";
import { StreamRequest } from "./stream_request.ts";

/** The two directions of a connection. */
export interface ByteStream {
  readonly peer: string;
  /** Nobody in between can read it. */
  readonly secure: boolean;
  /** How many bytes came, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** How many bytes of them went, at least one. */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that nothing more will be written. */
  closeWrite(): Promise<void>;
  /** What is read or written now rejects. */
  close(): void;
}
export interface ConnectionParts {
  readonly handle: Handle;
  /** Monotonic ms. */
  readonly elapsed: () => number;
  /** The value of the Date field, at most a second old. */
  readonly date: () => string;
  /** A mistake of ours. */
  readonly report: (problem: unknown) => void;
  readonly room: BodyRoom;
  /** It is closed, and nothing of it goes on. */
  readonly ended: (connection: Connection) => void;
}

type Phase = "idle" | "head" | "body" | "answer" | "write" | "linger";

/**
 * How long a client may take, in ms: between requests, for a head once it has begun, before the first bytes of a body, to take an
 * answer, to go away. The answer itself is ours.
 */
export const timeLimits: Readonly<Record<Phase, number>> = {
  idle: 75_000,
  head: 10_000,
  body: 5_000,
  answer: Infinity,
  write: 30_000,
  linger: 3_000,
};
/** At least so fast must a body come, and however fast it was, it may not pause for longer. */
export const bodyPace = { bytesPerSecond: 1024, pauseMs: 30_000 };

const firstBytes = 4096;
const bodyStepBytes = 1 << 16;
const lingerBytes = 16 << 20;

export class Connection {
  readonly #stream: ByteStream;
  readonly #parts: ConnectionParts;
  /** Many connections are idle most of the time: what a long head or body needs beyond this is not kept. */
  readonly #first = newBuffer(firstBytes);
  #buffer = this.#first;
  /** What was read and not used yet stands between these. */
  #from = 0;
  #to = 0;
  #phase: Phase = "idle";
  #deadline: number;
  #closed = false;
  #draining = false;
  /** The other side will send no more. */
  #ended = false;
  /** How much of a head that is not whole was looked at. */
  #looked = 0;
  /** Of the body of the present request, what was taken of the room. */
  #bodyBytes = 0;
  #bodyIsWhole = false;
  /** The answer of a request whose body is still passed over. */
  #decided: Answer | undefined;

  constructor(stream: ByteStream, parts: ConnectionParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.#deadline = parts.elapsed() + timeLimits.idle;
  }

  get peer(): string {
    return this.#stream.peer;
  }
  get secure(): boolean {
    return this.#stream.secure;
  }
  /** Whether a request is being answered or read. */
  get busy(): boolean {
    return this.#phase !== "idle";
  }

  /**
   * Serves until the other side is done or one of us has to end it. Never rejects. All in one, because every async method on the
   * way down to a read costs each request a tenth, and each client that is waited for some 500 bytes.
   */
  async run(): Promise<void> {
    try {
      for (let goesOn = true; goesOn && !this.#closed;) {
        let head = this.#takeHead();
        while (head === undefined && this.#took(await this.#stream.read(this.#space()))) head = this.#takeHead();
        if (head === undefined) break;
        if (isProblem(head)) {
          await this.#turnAway(problemAnswer(head));
          break;
        }
        const request = new StreamRequest(this, head);
        this.#enter("answer");
        let answer: Answer;
        try {
          const given = this.#parts.handle(request);
          answer = given instanceof Promise ? await given : given;
        } catch (problem) {
          this.#parts.report(problem);
          answer = mistake;
        }
        // It had its answer from `expire`.
        if (this.#closed) return;
        const isLast = !head.keepAlive || answer === mistake ||
          (head.length !== 0 && !await this.#passed(request, answer));
        if (this.#bodyBytes > 0) this.#giveBack();
        goesOn = !isLast && !this.#draining;
        this.#enter("write");
        const reply = replyBytes(answer, { date: this.#parts.date(), head, last: !goesOn });
        // Awaited even if it went at once: all answers of a commit go out one after the other, and only then does any connection
        // read on. That is cheaper for the system than a bit of both for each.
        const count = await this.#stream.write(reply);
        if (count < reply.length) await this.#write(reply.subarray(count));
        goesOn &&= this.#next();
      }
      if (!this.#ended) await this.#linger();
    } catch (problem) {
      if (!this.#closed && !isLost(problem)) this.#parts.report(problem);
    } finally {
      this.#giveBack();
      this.close();
      this.#parts.ended(this);
    }
  }

  /** Ends it because the client takes too long; who has begun a request has an answer first. RFC 9110 15.5.9. */
  expire(): void {
    if (this.#phase === "head" || this.#phase === "body") void this.#sayTimeout();
    else this.close();
  }

  async #sayTimeout(): Promise<void> {
    // What still comes is no part of a request any more: it is not to be kept after this answer.
    this.#ended = true;
    try {
      await this.#turnAway(this.#decided ?? timeout);
    } catch (problem) {
      if (!this.#closed && !isLost(problem)) this.#parts.report(problem);
    } finally {
      this.close();
    }
  }

  #giveBack(): void {
    this.#parts.room.give(this.#bodyBytes);
    this.#bodyBytes = 0;
  }

  /** RFC 9112 9.6: to close while something is still coming would take the answer away from who sends it. */
  async #linger(): Promise<void> {
    this.#enter("linger");
    await this.#stream.closeWrite();
    for (let left = lingerBytes; left > 0;) {
      const count = await this.#stream.read(waste);
      if (count === null) return;
      left -= count;
    }
  }

  /** The present request is the last one; without one the connection ends now. */
  drain(): void {
    this.#draining = true;
    if (!this.busy) this.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#stream.close();
    } catch {
      // It is closed already.
    }
  }

  /** Whether the client has taken longer than it may. */
  get overdue(): boolean {
    return this.#parts.elapsed() > this.#deadline;
  }

  async #turnAway(answer: Answer): Promise<void> {
    this.#enter("write");
    await this.#write(replyBytes(answer, { date: this.#parts.date(), head: undefined, last: true }));
  }

  /** Between two requests; false when there is to be no other. */
  #next(): boolean {
    if (this.#from < this.#to) {
      this.#enter("head");
      return true;
    }
    this.#enter("idle");
    this.#buffer = this.#first;
    return !this.#draining;
  }

  /** The next head, or what is wrong with it; nothing while more of it has to come. */
  #takeHead(): Head | Problem | undefined {
    if (this.#from === this.#to) return undefined;
    if (this.#phase === "idle") this.#enter("head");
    this.#skipEmptyLines();
    const lookFrom = this.#from + this.#looked;
    const end = headEnd(this.#buffer, this.#from, this.#to, lookFrom);
    if (end === undefined) {
      this.#looked = this.#to - this.#from;
      return earlyProblem(this.#buffer, this.#from, this.#to, lookFrom);
    }
    const head = parseHead(this.#buffer, this.#from, end);
    this.#from = end;
    this.#looked = 0;
    return head;
  }

  /** RFC 9112 2.2: empty lines before a request line are passed over. */
  #skipEmptyLines(): void {
    while (this.#to - this.#from >= 2 && this.#buffer[this.#from] === 0x0d && this.#buffer[this.#from + 1] === 0x0a) {
      this.#from += 2;
    }
  }

  /** Where what comes next can be read to. */
  #space(): Uint8Array {
    if (this.#from === this.#to) this.#from = this.#to = 0;
    const { length } = this.#buffer;
    if (this.#to === length) this.#moveTo(newBuffer(this.#to - this.#from > length / 2 ? length * 2 : length));
    // Most reads go there, and making a view for each costs more than parsing what came.
    return this.#to === 0 ? this.#buffer : this.#buffer.subarray(this.#to);
  }

  /** So many bytes were read there. False at the end. */
  #took(count: number | null): boolean {
    if (count === null) this.#ended = true;
    else this.#to += count;
    return !this.#ended;
  }

  #moveTo(buffer: Bytes): void {
    this.#to = this.#buffer.copy(buffer, 0, this.#from, this.#to);
    this.#from = 0;
    this.#buffer = buffer;
  }

  /**
   * The body of a request, whole; its bytes are good until the answer. Rejects with `TooLarge` or `BodyLost`; then the connection
   * cannot go on.
   */
  async readBody(head: Head, limit: number): Promise<Uint8Array> {
    this.#bodyIsWhole = false;
    if (head.length > limit) throw new TooLarge("Content-Length is beyond the limit");
    try {
      if (head.expectsContinue && head.length !== 0) await this.#sayContinue();
      this.#enter("body");
      const chunks = head.length < 0 ? new ChunkedBody(limit) : undefined;
      for (;;) {
        const body = chunks === undefined ? this.#counted(head.length) : this.#chunked(chunks);
        if (body !== undefined) return body;
        const count = await this.#stream.read(this.#bodySpace(head));
        if (!this.#took(count)) throw bodyEnded;
        if (chunks === undefined) this.#came(count!);
      }
    } catch (problem) {
      if (problem instanceof BadChunk) throw new BodyLost(problem.message);
      if (!isLost(problem)) throw problem;
      this.#ended = true;
      throw bodyEnded;
    } finally {
      this.#enter("answer");
    }
  }

  /** Whether the last `readBody` came to its end. */
  get bodyIsWhole(): boolean {
    return this.#bodyIsWhole;
  }

  async #sayContinue(): Promise<void> {
    this.#enter("write");
    await this.#write(continueBytes);
  }

  /** The body if all of it is there. */
  #counted(length: number): Uint8Array | undefined {
    if (length > this.#to - this.#from) return undefined;
    this.#from += length;
    this.#bodyIsWhole = true;
    return this.#buffer.subarray(this.#from - length, this.#from);
  }

  /** The same. */
  #chunked(body: ChunkedBody): Uint8Array | undefined {
    const before = body.length;
    this.#from += body.take(this.#buffer.subarray(this.#from, this.#to));
    this.#bodyIsWhole = body.done;
    if (body.done) return body.whole;
    this.#came(body.length - before);
    return undefined;
  }

  /**
   * Where what comes next of a body can be read to: behind the head, at whose bytes the routes still look, while there is any.
   * Room for what comes, not for what is announced: an announcement costs the client nothing.
   */
  #bodySpace({ bytes, length }: Head): Uint8Array {
    const have = this.#to - this.#from;
    if (have === 0 && this.#buffer !== bytes) this.#from = this.#to = 0;
    if (this.#to === this.#buffer.length) {
      const larger = Math.max(bodyStepBytes, have * 4);
      this.#moveTo(newBuffer(length < 0 ? larger : Math.min(length, larger)));
    }
    return this.#buffer.subarray(this.#to, length < 0 ? this.#buffer.length : this.#from + length);
  }

  /** So many bytes of a body. */
  #came(count: number): void {
    if (!this.#parts.room.take(count)) throw new NoRoom("The bodies of all requests take too much memory");
    this.#bodyBytes += count;
    const { bytesPerSecond, pauseMs } = bodyPace;
    this.#deadline = Math.min(this.#deadline + (count * 1000) / bytesPerSecond, this.#parts.elapsed() + pauseMs);
  }

  /** Whether the next request can begin behind the body of this one, whose answer is certain. */
  async #passed(request: StreamRequest, answer: Answer): Promise<boolean> {
    this.#decided = answer;
    const goesOn = await request.passed();
    this.#decided = undefined;
    return goesOn;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let left = bytes; left.length > 0;) left = left.subarray(await this.#stream.write(left));
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#deadline = this.#parts.elapsed() + timeLimits[phase];
  }
}

const timeout = problemAnswer({ code: "timeout", detail: "The request came too slowly; nothing of it was kept" });

/** What failed may have come as far as the log. */
const mistake = problemAnswer({
  code: "internal",
  detail: "The fault is ours; whether this request was kept is unknown",
  outcome: "unknown",
});

/** One for all: where it came from says nothing, and looking for that takes longer than everything else at such an end. */
const bodyEnded = new BodyLost("The connection ended within the body");

/** What comes here is looked at by nobody, so one serves all connections. */
const waste = new Uint8Array(bodyStepBytes);

function newBuffer(length: number): Bytes {
  return Buffer.allocUnsafeSlow(length) as unknown as Bytes;
}

const lostNames = ["BadResource", "Interrupted", "UnexpectedEof", "NotConnected"];

/** The other side went away, or we closed the stream under a read. */
function isLost(problem: unknown): boolean {
  // A code of the system, not one of Node's ("ERR_…") for a mistake of ours.
  return /^E[A-Z]+$/.test(codeOf(problem)) || lostNames.includes((problem as Error).name);
}
