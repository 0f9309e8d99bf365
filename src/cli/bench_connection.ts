/** [shell] One connection of the load generator: a request out, an answer in, nothing else, so that it measures the server. */

import type { Context } from "./context.ts";

export interface Answered {
  readonly status: number;
  readonly text: string;
}

const utf8 = new TextDecoder();

function tlsOf({ ca, cert, key }: Context["tls"]): { caCerts?: string[]; cert?: string; key?: string } {
  return { ...(ca !== undefined && { caCerts: [ca] }), ...(cert !== undefined && key !== undefined && { cert, key }) };
}

export class BenchConnection {
  readonly #conn: Deno.Conn;
  #held = new Uint8Array(65_536);
  #end = 0;

  static async open({ protocol, hostname, port }: URL, tls: Context["tls"] = {}): Promise<BenchConnection> {
    const secure = protocol === "https:";
    const at = { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || (secure ? 443 : 80) };
    const conn = secure ? await Deno.connectTls({ ...at, ...tlsOf(tls) }) : await Deno.connect(at);
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay();
    return new BenchConnection(conn);
  }

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  async ask(request: Uint8Array): Promise<Answered> {
    for (let at = 0; at < request.length;) at += await this.#conn.write(request.subarray(at));
    for (;;) {
      const answer = this.#take();
      if (answer) return answer;
      if (this.#end === this.#held.length) throw new Error("the answer is too long");
      const read = await this.#conn.read(this.#held.subarray(this.#end));
      if (read === null) throw new Error("the server closed the connection");
      this.#end += read;
    }
  }

  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is closed already.
    }
  }

  /** A whole answer, when it is there. */
  #take(): Answered | undefined {
    const text = utf8.decode(this.#held.subarray(0, this.#end));
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd < 0) return undefined;
    const head = text.slice(0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    if (/\r\ntransfer-encoding:/i.test(head)) {
      throw new Error("something between us and the server changes its answers");
    }
    const end = headEnd + 4 + length;
    if (this.#end < end) return undefined;
    const body = utf8.decode(this.#held.subarray(headEnd + 4, end));
    this.#held.copyWithin(0, end, this.#end);
    this.#end -= end;
    return { status: Number(head.slice(9, 12)), text: body };
  }
}
