/** Messages as syslog has them (RFC 5424), and as streams frame them (RFC 6587). Pure. */
import { Buffer } from "node:buffer";
import type { Delivery } from "../../src/deliver/adaptor.ts";
import { type Message, outputNames } from "../../src/message/message.ts";

/** How messages are written. */
export interface Style {
  readonly facility: Facility;
  /** Of a message whose level says nothing. */
  readonly severity: Severity;
  readonly hostname: string;
  readonly appName: (message: Message) => string;
  readonly procId: (message: Message) => string;
  readonly msgId: (message: Message) => string;
  /** IANA's number of the organisation by whose rules the structured data are named. */
  readonly enterprise: number;
  readonly fields: "all" | "id" | "none";
  readonly bom: boolean;
}
export type Framing = "octets" | "lines";

/** In the order of their numbers. */
export const facilities = [
  ...["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp"],
  ...["audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"],
] as const;
export type Facility = typeof facilities[number];
export const severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] as const;
export type Severity = typeof severities[number];

const synonyms: Readonly<Record<string, Severity>> = {
  emergency: "emerg",
  panic: "emerg",
  critical: "crit",
  fatal: "crit",
  error: "err",
  severe: "err",
  warn: "warning",
  informational: "info",
  information: "info",
  verbose: "debug",
  trace: "debug",
};

/** What a message's level means: a word, or syslog's own number. */
export function severityOf(level: string | undefined, otherwise: Severity): Severity {
  const word = (level ?? "").trim().toLowerCase();
  if (/^[0-7]$/.test(word)) return severities[Number(word)]!;
  if (Object.hasOwn(synonyms, word)) return synonyms[word]!;
  return severities.find((severity) => severity === word) ?? otherwise;
}

/** What stands in front of a message, up to where its payload begins. */
export function headerOf({ id, message }: Delivery, style: Style): Uint8Array {
  const severity = severities.indexOf(severityOf(message.level, style.severity));
  const priority = facilities.indexOf(style.facility) * 8 + severity;
  const { appName, procId, msgId } = style;
  const names = [
    timeOf(message.timestamp),
    token(style.hostname, 255),
    token(appName(message), 48),
    token(procId(message), 128),
    token(msgId(message), 32),
  ];
  return Buffer.from(`<${priority}>1 ${names.join(" ")} ${structuredData(id, message, style)}`);
}

/** A whole message. When it is longer than `bytesMax` its payload is cut, not within a character. */
export function encode(delivery: Delivery, style: Style, bytesMax = Infinity): Uint8Array {
  const header = headerOf(delivery, style);
  const mark = style.bom ? bom : nothing;
  const room = Math.max(0, bytesMax - header.length - 1 - mark.length);
  const body = delivery.body.length <= room ? delivery.body : cutTo(delivery.body, room);
  if (body.length === 0) return header;
  return Buffer.concat([header, space, mark, body]);
}

const [space, bom, nothing] = [Buffer.from(" "), Buffer.from([0xef, 0xbb, 0xbf]), Buffer.alloc(0)] as const;

/** For a stream. With octet counting whatever is inside cannot end a frame; without it control characters are written as `#012`. */
export function frame(message: Uint8Array, framing: Framing): Uint8Array {
  if (framing === "octets") return Buffer.concat([Buffer.from(`${message.length} `), message]);
  const clean = message.some(isControl) ? Buffer.concat([...escaped(message)]) : message;
  return Buffer.concat([clean, lineEnd]);
}

const lineEnd = Buffer.from("\n");

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
}

function* escaped(message: Uint8Array): Generator<Uint8Array> {
  let from = 0;
  for (const [at, byte] of message.entries()) {
    if (!isControl(byte)) continue;
    yield message.subarray(from, at);
    yield Buffer.from(octal(byte));
    from = at + 1;
  }
  yield message.subarray(from);
}

function octal(code: number): string {
  return `#${code.toString(8).padStart(3, "0")}`;
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  const year = time.getUTCFullYear();
  return year >= 0 && year <= 9999 ? time.toISOString() : "-";
}

/** A name in the header: printable ASCII without spaces, and not too long. */
function token(value: string, most: number): string {
  return value.replace(/[^\x21-\x7e]/g, "_").slice(0, most) || "-";
}

/** The topic and the like; what a CloudEvent says besides is too much for here. */
const shownFields = outputNames.filter(([field]) => field !== "attributes");

function structuredData(id: string, message: Message, { fields, enterprise }: Style): string {
  if (fields === "none") return "-";
  const given = fields === "id" ? [] : shownFields.flatMap(([field, name]) => {
    const value = message[field];
    return value === undefined ? [] : [parameter(name, value)];
  });
  return `[sparkngin@${enterprise} ${[parameter("id", id), ...given].join(" ")}]`;
}

// deno-lint-ignore no-control-regex
const special = /["\\\]]|[\x00-\x1f\x7f]/g;

function parameter(name: string, value: string): string {
  const safe = value.replace(
    special,
    (letter) => letter < " " || letter === "\x7f" ? octal(letter.charCodeAt(0)) : `\\${letter}`,
  );
  return `${name}="${safe}"`;
}

/** At most `most` of more bytes, and less where that would leave a part of a UTF-8 character. */
function cutTo(body: Uint8Array, most: number): Uint8Array {
  let back = 0;
  while (back < 4 && back < most && (body[most - back]! & 0xc0) === 0x80) back++;
  return body.subarray(0, back < 4 ? most - back : most);
}
