/** Syslog (RFC 5424) over TCP, TLS or UDP. */
import { hostname } from "node:os";
import { adaptor, type Delivery } from "../../src/deliver/adaptor.ts";
import {
  checked,
  choice,
  duration,
  flag,
  optional,
  type Options,
  secret,
  size,
  text,
  whole,
} from "../../src/config/options.ts";
import type { World } from "../../src/os/world.ts";
import { pemOf } from "../pem.ts";
import { fieldTemplate } from "../template.ts";
import { type Access, openConnection, type TLSAccess } from "./connection.ts";
import { openDatagrams } from "./datagram.ts";
import { openStream } from "./stream.ts";
import { encode, facilities, headerOf, severities, type Style } from "./wire.ts";

const usualPorts = { udp: 514, tcp: 601, tls: 6514 };
/** What fits into a datagram over IPv4. */
const datagramBytesMax = 65_507;

const template = (name: string, help: string, fallback: string) =>
  checked(
    text(`${help}: a text with %topic%, %env%, %type%, %level%`, fallback),
    (given) => void fieldTemplate(name, given),
  );

const options = {
  host: text("where the syslog server is: a name or an address"),
  port: whole("its port; 0 is the usual one: 601 for tcp, 6514 for tls, 514 for udp", 0, 0, 65_535),
  transport: choice("how to get there; udp may lose messages, and nobody would know", ["tcp", "tls", "udp"], "tcp"),
  framing: choice(
    "how messages are told apart in a stream; lines writes control characters as #012",
    ["octets", "lines"],
    "octets",
  ),
  facility: choice("facility of all messages", facilities, "user"),
  severity: choice("severity of messages whose level says none", severities, "info"),
  hostname: optional(text("HOSTNAME; the name of this machine if left out")),
  app_name: template("app_name", "APP-NAME", "%topic%"),
  procid: template("procid", "PROCID", "-"),
  msgid: template("msgid", "MSGID", "%type%"),
  structured_data: choice("fields sent as structured data", ["all", "id", "none"], "all"),
  enterprise_number: whole("private enterprise number in the name of the structured data", 32_473, 1),
  bom: flag(
    "mark payloads as UTF-8 by a byte order mark, as RFC 5424 wants; many servers keep it as a part of the text",
  ),
  message_max: size("longest syslog message; the server must take as much, or it cuts in silence", "8KiB", 480),
  too_large: choice("what becomes of longer ones: dead letters, or their payload is cut", ["refuse", "cut"], "refuse"),
  resend_max: size("how much of what was written last is sent again when a stream breaks", "8MiB"),
  timeout: duration("how long to wait for a connection, or for a server that reads nothing", "30s"),
  tls_ca: optional(text("certificate authority of the server: a file, or the PEM text itself")),
  tls_server_name: optional(text("name to expect in the server's certificate, if not host")),
  tls_cert: optional(text("certificate to show to the server: a file, or the PEM text itself")),
  tls_key: secret(optional(text("key of that certificate: a file, or the PEM text itself"))),
};
type SyslogOptions = Options<typeof options>;

export default adaptor({
  summary: "syslog (RFC 5424) over TCP, TLS or UDP",
  promise: ({ transport }) => transport === "udp" ? "best effort" : "handed over",
  options,

  async open(options, place, signal) {
    const { world } = place;
    const encode = encoderOf(options);
    const access = accessOf(options, world);
    if (options.transport === "udp") return await openDatagrams({ ...access, encode }, signal);
    return await openStream({ access, encode, framing: options.framing, resendMax: options.resend_max }, place, signal);
  },

  async check(options, { world }, signal) {
    encoderOf(options);
    const access = accessOf(options, world);
    if (options.transport === "udp") {
      return await (await openDatagrams({ ...access, encode: () => "" }, signal)).close();
    }
    (await openConnection(access, signal)).destroy();
  },
});

function accessOf(options: SyslogOptions, { clock, files }: World): Access {
  const { host, port, transport, timeout, framing } = options;
  const { tls_ca: ca, tls_cert: cert, tls_key: key, tls_server_name: servername } = options;
  if (transport === "udp" && framing === "lines") throw new TypeError("Cannot send to syslog: udp has no framing");
  const given = Object.entries({ ca, cert, key, servername }).filter((entry): entry is [string, string] => !!entry[1]);
  if (given.length > 0 && transport !== "tls") throw new TypeError('Cannot use TLS: set transport = "tls"');
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("Cannot use TLS: tls_cert and tls_key need each other");
  }
  const read = ([name, pem]: [string, string]) => [name, name === "servername" ? pem : pemOf(pem, files)];
  const tls = transport === "tls" ? Object.fromEntries(given.map(read)) as TLSAccess : undefined;
  return { host, port: port || usualPorts[transport], tls, timeoutMs: timeout, clock };
}

function encoderOf(options: SyslogOptions): (delivery: Delivery) => Uint8Array | string {
  const style: Style = {
    facility: options.facility,
    severity: options.severity,
    hostname: options.hostname ?? hostname(),
    appName: fieldTemplate("app_name", options.app_name),
    procId: fieldTemplate("procid", options.procid),
    msgId: fieldTemplate("msgid", options.msgid),
    enterprise: options.enterprise_number,
    fields: options.structured_data,
    bom: options.bom,
  };
  const most = options.transport === "udp" ? Math.min(options.message_max, datagramBytesMax) : options.message_max;
  return (delivery) => {
    const message = encode(delivery, style);
    if (message.length <= most) return message;
    if (options.too_large === "cut" && headerOf(delivery, style).length <= most) return encode(delivery, style, most);
    return `too large: ${message.length} bytes as a syslog message, and ${limitOf(options, most)}`;
  };
}

function limitOf({ message_max }: SyslogOptions, most: number): string {
  return most < message_max ? `a datagram takes ${most}` : `message_max is ${message_max}`;
}
