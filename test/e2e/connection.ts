/** HTTP/1.1 over one TCP connection, said byte by byte: for order, pipelines and requests that no client would send. */

export interface Reply {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The other end went away before a whole reply. */
export class Disconnected extends Error {}

export class Connection implements Disposable {
  readonly #connection: Deno.TcpConn;
  #pending = new Uint8Array(0);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }
  static async open(address: string): Promise<Connection> {
    const [hostname, port] = address.split(":");
    return new Connection(await Deno.connect({ hostname: hostname!, port: Number(port) }));
  }
  /** Writes it all. */
  async send(bytes: string | Uint8Array): Promise<void> {
    let left = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    while (left.length > 0) left = left.subarray(await this.#connection.write(left));
  }
  async reply(): Promise<Reply> {
    const head = await this.#until("\r\n\r\n");
    const [first = "", ...lines] = head.split("\r\n");
    const headers = new Map(lines.map((line) => [before(line).toLowerCase(), line.slice(before(line).length + 2)]));
    const body = await this.#take(Number(headers.get("content-length") ?? 0));
    return { status: Number(first.split(" ")[1]), headers, body: new TextDecoder().decode(body) };
  }
  async ask(bytes: string | Uint8Array): Promise<Reply> {
    await this.send(bytes);
    return await this.reply();
  }
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It was closed before.
    }
  }
  [Symbol.dispose](): void {
    this.close();
  }

  async #until(end: string): Promise<string> {
    for (;;) {
      const text = latin1(this.#pending);
      const at = text.indexOf(end);
      if (at >= 0) {
        this.#pending = this.#pending.subarray(at + end.length);
        return text.slice(0, at);
      }
      await this.#more();
    }
  }
  async #take(count: number): Promise<Uint8Array> {
    while (this.#pending.length < count) await this.#more();
    const taken = this.#pending.slice(0, count);
    this.#pending = this.#pending.subarray(count);
    return taken;
  }
  async #more(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    const count = await this.#connection.read(chunk);
    if (count === null) throw new Disconnected("The connection ended");
    const joined = new Uint8Array(this.#pending.length + count);
    joined.set(this.#pending);
    joined.set(chunk.subarray(0, count), this.#pending.length);
    this.#pending = joined;
  }
}

export function getRequest(target: string): string {
  return `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
}

export function postRequest(target: string, type: string, body: Uint8Array): Uint8Array {
  const head =
    `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const bytes = new Uint8Array(head.length + body.length);
  new TextEncoder().encodeInto(head, bytes);
  bytes.set(body, head.length);
  return bytes;
}

function before(line: string): string {
  return line.slice(0, line.indexOf(":"));
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
