/**
 * Real syslog servers for the tests: rsyslog and syslog-ng on free ports of 127.0.0.1, each in a directory of its own. What they
 * took is read from the files they write. Debian does not let both be installed: syslog-ng is unpacked from its packages.
 */
import { type Certificates, makeCertificates } from "./certificates.ts";

export type ServerName = "rsyslog" | "syslog-ng";

/** A message as the server understood it. */
export interface Logged {
  readonly pri: string;
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly procid: string;
  readonly msgid: string;
  readonly data: string;
  readonly text: string;
}

const megabyte = 1 << 20;
const lineBegin = '{"';

/** To be put into the name of a test that is ignored: what is not installed here, or "". */
export async function missing(server: ServerName): Promise<string> {
  const found = server === "rsyslog"
    ? isInstalled("rsyslogd") && isInstalled("openssl")
    : (await unpacked()) !== undefined;
  return found ? "" : ` (needs ${server})`;
}

export async function startSyslog(server: ServerName): Promise<Syslog> {
  const dir = await Deno.makeTempDir({ prefix: "syslog-" });
  const syslog = new Syslog(server, dir, await makeCertificates(dir));
  await syslog.start();
  return syslog;
}

export class Syslog implements AsyncDisposable {
  readonly server: ServerName;
  readonly certificates: Certificates;
  readonly ports: { readonly tcp: number; readonly lines: number; readonly tls: number; readonly udp: number };
  readonly #dir: string;
  #process: Deno.ChildProcess | undefined;

  constructor(server: ServerName, dir: string, certificates: Certificates) {
    this.server = server;
    this.#dir = dir;
    this.certificates = certificates;
    const [tcp, lines, tls, udp] = freePorts(4) as [number, number, number, number];
    this.ports = { tcp, lines, tls, udp };
  }

  /** Waits until it takes connections. */
  async start(): Promise<void> {
    const { command, args, env } = this.server === "rsyslog" ? await this.#rsyslog() : await this.#syslogNg();
    this.#process = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >> out 2>&1', "sh", command, ...args],
      cwd: this.#dir,
      env,
      stdin: "null",
    }).spawn();
    for (const port of [this.ports.tcp, this.ports.tls]) await this.#listens(port);
    await this.#takesDatagrams();
  }
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill(signal);
    await process?.status;
  }
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }
  thaw(): void {
    this.#process?.kill("SIGCONT");
  }
  /** All that is written by now, in its order. */
  async logged(): Promise<Logged[]> {
    const text = await Deno.readTextFile(`${this.#dir}/log`).catch(() => "");
    // What a server that was killed had begun to write stands in front of what it writes next.
    return text.split("\n").slice(0, -1).map((line) => JSON.parse(line.slice(line.lastIndexOf(lineBegin))));
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.thaw();
    await this.stop("SIGKILL");
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #listens(port: number): Promise<void> {
    for (let tries = 0; tries < 400; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    throw new Error(`Cannot start ${this.server}: ${await Deno.readTextFile(`${this.#dir}/out`)}`);
  }

  /** Nobody answers there: the system knows whether the port is taken. */
  async #takesDatagrams(): Promise<void> {
    const port = `:${this.ports.udp.toString(16).toUpperCase().padStart(4, "0")} `;
    for (let tries = 0; tries < 400; tries++) {
      const taken = await Deno.readTextFile("/proc/net/udp").catch(() => port);
      if (taken.includes(port)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`Cannot start ${this.server} for datagrams: ${await Deno.readTextFile(`${this.#dir}/out`)}`);
  }

  async #rsyslog() {
    const { ca, server: { cert, key } } = this.certificates;
    const driver = {
      DefaultNetstreamDriverCAFile: ca,
      DefaultNetstreamDriverCertFile: cert,
      DefaultNetstreamDriverKeyFile: key,
    };
    const files = Object.entries(driver).map(([name, file]) => `${name}="${file}"`).join(" ");
    const properties = [["pri", "pri"], ["time", "timereported"], ["host", "hostname"], ["app", "app-name"], [
      "procid",
      "procid",
    ]];
    properties.push(["msgid", "msgid"], ["data", "structured-data"], ["text", "msg"]);
    const listed = properties.map(([out, name]) => {
      const date = out === "time" ? ' dateformat="rfc3339"' : "";
      return `property(outname="${out}" name="${name}" format="jsonf"${date})`;
    });
    await Deno.writeTextFile(
      `${this.#dir}/conf`,
      `global(workDirectory="${this.#dir}" maxMessageSize="1m" DefaultNetstreamDriver="gtls" ${files}
  parser.escapeControlCharactersOnReceive="off")
module(load="imptcp")
module(load="imudp")
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
template(name="j" type="list" option.jsonf="on") { ${listed.join(" ")} }
ruleset(name="r") { action(type="omfile" file="${this.#dir}/log" template="j") }
input(type="imptcp" address="127.0.0.1" port="${this.ports.tcp}" ruleset="r" SupportOctetCountedFraming="on")
input(type="imptcp" address="127.0.0.1" port="${this.ports.lines}" ruleset="r")
input(type="imudp" address="127.0.0.1" port="${this.ports.udp}" ruleset="r" rcvbufSize="4m")
input(type="imtcp" address="127.0.0.1" port="${this.ports.tls}" ruleset="r")
`,
    );
    return { command: "rsyslogd", args: ["-n", "-f", `${this.#dir}/conf`, "-i", `${this.#dir}/pid`], env: {} };
  }

  async #syslogNg() {
    const home = await unpacked() as string;
    const { ca, server: { cert, key } } = this.certificates;
    const fields = { pri: "$PRI", time: "$ISODATE", host: "$HOST", app: "$PROGRAM", procid: "$PID", msgid: "$MSGID" };
    const pairs = Object.entries({ ...fields, data: "$SDATA", text: "$MESSAGE" }).map(([name, of]) =>
      `${name}=\\"${of}\\"`
    );
    const any = "ip(127.0.0.1)";
    await Deno.writeTextFile(
      `${this.#dir}/conf`,
      `@version: 3.38
options { keep-hostname(yes); log-msg-size(${megabyte}); frac-digits(3); ts-format(iso); time-zone("+00:00"); };
source s {
  syslog(${any} port(${this.ports.tcp}) transport("tcp"));
  network(${any} port(${this.ports.lines}) transport("tcp") flags(syslog-protocol));
  syslog(${any} port(${this.ports.udp}) transport("udp") so-rcvbuf(4194304));
  syslog(${any} port(${this.ports.tls}) transport("tls") tls(key-file("${key}") cert-file("${cert}") ca-file("${ca}") peer-verify(required-trusted)));
};
destination d { file("${this.#dir}/log" template("$(format-json ${pairs.join(" ")})\\n")); };
log { source(s); destination(d); };
`,
    );
    const args = ["-F", "--no-caps", "-f", `${this.#dir}/conf`, "-R", `${this.#dir}/persist`];
    args.push("-p", `${this.#dir}/pid`, "-c", `${this.#dir}/ctl`);
    if (home === "") return { command: "syslog-ng", args, env: {} };
    const modules = `${home}/usr/lib/syslog-ng/3.38`;
    const libraries = [`${home}/usr/lib/syslog-ng`, `${home}/usr/lib/${triplet}`, `${home}/lib/${triplet}`].join(":");
    return {
      command: `${home}/usr/sbin/syslog-ng`,
      args: [...args, `--module-path=${modules}`],
      env: { LD_LIBRARY_PATH: libraries },
    };
  }
}

const triplet = `${Deno.build.arch}-linux-gnu`;

/** Where syslog-ng is, "" if it is installed; unpacked once a machine, by one process at a time. */
async function unpacked(): Promise<string | undefined> {
  if (!isInstalled("openssl")) return undefined;
  if (isInstalled("syslog-ng")) return "";
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/sparkngin-test`;
  const home = `${cache}/syslog-ng-3.38`;
  await Deno.mkdir(cache, { recursive: true });
  using guard = await Deno.open(`${home}.lock`, { create: true, write: true });
  await guard.lock(true);
  if (exists(`${home}/usr/sbin/syslog-ng`)) return home;
  if (!isInstalled("apt-get") || !isInstalled("dpkg")) return undefined;
  const fetched = `${home}.fetched`;
  await Deno.mkdir(fetched, { recursive: true });
  const packages = ["syslog-ng-core=3.38*", "libivykis0", "libnet1", "libwrap0", "libjson-c5", "libpcre3"];
  if (!(await ran("apt-get", ["download", ...packages], fetched))) return undefined;
  for (const { name } of Deno.readDirSync(fetched)) {
    if (name.endsWith(".deb") && !(await ran("dpkg", ["-x", name, `${fetched}/root`], fetched))) return undefined;
  }
  await Deno.rename(`${fetched}/root`, home);
  return home;
}

async function ran(command: string, args: string[], cwd: string): Promise<boolean> {
  const { success } = await new Deno.Command(command, { args, cwd, stdin: "null", stdout: "null", stderr: "null" })
    .output();
  return success;
}

function isInstalled(program: string): boolean {
  const dirs = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return dirs.some((dir) => exists(`${dir}/${program}`));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function freePorts(count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return ports;
}
