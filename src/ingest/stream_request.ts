/** What the routes see of a request that came over a connection; its body is read once, if anybody asks for it. */
import type { Head } from "./head.ts";
import { BodyLost, type HeaderField, type HttpRequest, NoRoom, type Span, TooLarge } from "./http.ts";

/** The connection that a request came over. */
export interface Carrier {
  readonly peer: string;
  readonly secure: boolean;
  /** As `HttpRequest.body` does; then the connection cannot go on unless it resolves. */
  readBody(head: Head, limit: number): Promise<Uint8Array>;
  /** Whether the last `readBody` came to its end. */
  readonly bodyIsWhole: boolean;
}

/** A body that nobody asked for is read and forgotten up to here; beyond it the connection ends. */
const passedBytes = 1 << 16;

export class StreamRequest implements HttpRequest {
  readonly #connection: Carrier;
  readonly #head: Head;
  #wasAsked = false;

  constructor(connection: Carrier, head: Head) {
    this.#connection = connection;
    this.#head = head;
  }
  get method(): string {
    return this.#head.method;
  }
  get target(): Span {
    return this.#head.target;
  }
  get peer(): string {
    return this.#connection.peer;
  }
  get secure(): boolean {
    return this.#connection.secure;
  }
  header(name: string): string | null {
    return this.#head.header(name);
  }
  headerSpan(name: string): Span | undefined {
    return this.#head.span(name);
  }
  headersFrom(prefix: string): HeaderField[] {
    return this.#head.headersFrom(prefix);
  }
  body(limit: number): Promise<Uint8Array> {
    // The second time would take the next request for a body.
    if (this.#wasAsked) return Promise.reject(new Error("Cannot read the body of a request again"));
    this.#wasAsked = true;
    return this.#connection.readBody(this.#head, limit);
  }
  /** Whether the next request can begin: the body was read, or it is short enough to be passed over. */
  async passed(): Promise<boolean> {
    if (this.#wasAsked) return this.#connection.bodyIsWhole;
    // Whether the client still sends a body that it was not asked for cannot be known. RFC 9110 10.1.1.
    if (this.#head.expectsContinue) return false;
    try {
      await this.body(passedBytes);
      return true;
    } catch (problem) {
      if (problem instanceof TooLarge || problem instanceof NoRoom || problem instanceof BodyLost) return false;
      throw problem;
    }
  }
}
