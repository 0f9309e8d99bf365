/**
 * Every key of the core, declared once. Files, environment, flags, `--help` and the manual are made from here;
 * what an adaptor understands beyond `destinationKeys` stands in its own folder.
 */
import { choice, duration, type Fields, flag, list, type Options, size, table, text, whole } from "./options.ts";

/** Keys that stand at the top of the file, in no section. */
export const topKeys = {
  data: text("directory that holds the log, the cursors and, by default, the output", "./data"),
} satisfies Fields;

export const sections = {
  http: {
    listen: text("address and port that take messages; port 0 lets the system choose", "127.0.0.1:8080"),
    root: text('path in front of every endpoint, e.g. "/sn"; empty serves "/" and "/sparkngin"', ""),
    public: flag("allow an address beyond loopback although nobody has to show a key"),
    topic: text("topic of messages that name none; empty refuses them", ""),
    trusted_proxies: list("addresses (or IPv4 networks such as 10.0.0.0/8) whose X-Forwarded-For is believed", []),
    cookies: list('cookies to keep, by name; ["*"] keeps all; they are secrets, so none are kept by default', []),
    body_max: size("largest request body", "8MiB", 1024),
    message_max: size("largest message, so that every destination can take it", "900KiB", 1024),
    messages_max: whole("most messages in one request", 50_000, 1),
    depth_max: whole("deepest nesting of JSON", 64, 1, 1000),
    topics_max: whole("most distinct topics, unless topics_allow lists patterns", 1000, 1),
    topics_allow: list('topics that are taken, as patterns such as "web.*"; empty takes any', []),
  },
  management: {
    listen: text("address and port of status, metrics, tail and control; keep it on loopback", "127.0.0.1:8081"),
  },
  log: {
    segment: size("size of one file of the log; smaller on small disks", "64MiB", 65_536),
    retain: duration("how long delivered messages are kept for replay", "24h"),
    retain_max: size("how much of delivered messages is kept for replay", "4GiB"),
    ballast: size("disk space kept back for cursors, dead letters and an orderly stop when the disk is full", "64MiB"),
  },
} satisfies Record<string, Fields>;

/** What every `[[destination]]` understands, whatever its kind. */
export const destinationKeys = {
  name: text("name of the destination: letters, digits, dot, dash, underscore; 64 at most"),
  kind: text("which adaptor carries the messages"),
  required: flag(
    "whether the log keeps messages until this destination has them, and stops taking when the disk is full",
    true,
  ),
  from: text('where a new destination starts: "now", "oldest" or a position', "now"),
  filter: table('which messages it gets, by topic, env, level and type, e.g. { topic = "web.*" }'),
  format: choice("how a message is written", ["json", "raw"], "json"),
  batch: whole("most messages sent at once", 5000, 1, 100_000),
  batch_bytes: size("most bytes sent at once, about", "1MiB", 1024),
  deadline: duration("how long one batch may take before the connection is given up", "60s"),
  dead_max: size("room for messages this destination refuses for good; full, it pauses", "256MiB", 1_048_576),
} satisfies Fields;

export type Top = Options<typeof topKeys>;
export type Sections = { readonly [S in keyof typeof sections]: Options<(typeof sections)[S]> };
export type DestinationSettings = Options<typeof destinationKeys>;

/** One `[[destination]]`: the keys common to all, and those of its adaptor. */
export interface Destination extends DestinationSettings {
  readonly options: Readonly<Record<string, unknown>>;
}
/** What was configured, complete with defaults. */
export interface Config extends Top, Sections {
  readonly destination: readonly Destination[];
}
