/**
 * Every key of the core, declared once. Files, environment, flags, `--help` and the manual are made from here;
 * what an adaptor understands beyond `destinationKeys` stands in its own folder.
 */
import { parseAddress } from "./address.ts";
import { parseFields, parseFormat } from "./format.ts";
import {
  checked,
  choice,
  duration,
  type Fields,
  flag,
  list,
  type Option,
  type Options,
  type Shape,
  shaped,
  share,
  size,
  table,
  text,
  whole,
} from "./options.ts";

const address: Shape = {
  kind: "address",
  expected: 'an address and port such as "127.0.0.1:8080" or "[::1]:8080"',
  fits: (value) => parseAddress(value) !== undefined,
};
const directory: Shape = {
  kind: "directory",
  expected: "a directory in quotes",
  fits: (value) => value !== "" && !value.includes("\0"),
};
const file: Shape = {
  kind: "file",
  expected: "a file in quotes",
  fits: (value) => !value.includes("\0"),
};
const root: Shape = {
  kind: "path",
  expected: 'nothing or a path such as "/sn": a slash in front, none at the end, of letters, digits and . _ ~ -',
  fits: (value) => /^(\/[A-Za-z0-9._~-]+)*$/.test(value) && !/\/\.{1,2}(\/|$)/.test(value),
};
const topic: Shape = {
  kind: "topic",
  expected: 'nothing or a topic: letters, digits and . _ -, 249 at most, and not "." or ".."',
  fits: (value) => /^[A-Za-z0-9._-]{0,249}$/.test(value) && value !== "." && value !== "..",
};
const cookieName: Shape = {
  kind: "cookie name",
  expected: "nothing or the name of a cookie: letters, digits and _ . -, 64 at most",
  fits: (value) => /^[A-Za-z0-9._-]{0,64}$/.test(value),
};
const destinationName: Shape = {
  kind: "name",
  expected: 'a name of 1 to 64 letters, digits, dots, dashes and underscores that is not "." or ".."',
  fits: (value) => /^[A-Za-z0-9._-]{1,64}$/.test(value) && value !== "." && value !== "..",
};
const startingPoint: Shape = {
  kind: "start",
  expected: '"now", "oldest" or a position such as 102938',
  fits: (value) => /^(now|oldest|\d{1,15})$/.test(value),
};

/** Keys that stand at the top of the file, in no section. */
export const topKeys = {
  data: shaped("directory that holds the log, the cursors and, by default, the output", directory, "./data"),
} satisfies Fields;

export const sections = {
  http: {
    listen: shaped("address and port that take messages; port 0 lets the system choose", address, "127.0.0.1:8080"),
    root: shaped('path in front of every endpoint, e.g. "/sn"; empty serves "/" and "/sparkngin"', root, ""),
    public: flag("allow an address beyond loopback although nobody has to show a key"),
    keys: flag("take messages only from who shows a key: see sparkngin key"),
    rate_per_address: whole(
      "most requests a second from one address, an IPv6 /64 counting as one; a key with a rate of its own goes by that; " +
        "0 is no limit",
      0,
    ),
    cors_origins: list(
      'origins whose pages may read our answers and send more than plain text, e.g. "https://www.example.com"; "*" is any',
      [],
    ),
    tls_cert: shaped(
      "certificate of this server and what links it to an authority, a PEM file; read again when it changes",
      file,
      "",
    ),
    tls_key: shaped("key of that certificate, a PEM file", file, ""),
    tls_client_ca: shaped("authority whose certificates clients must show, a PEM file; empty asks for none", file, ""),
    topic: shaped("topic of messages that name none; empty refuses them", topic, ""),
    bad_topic: shaped(
      "topic that takes the bad lines of requests that ask for on_bad=divert, with the reason; empty allows nobody to ask",
      topic,
      "",
    ),
    trusted_proxies: list("addresses (or IPv4 networks such as 10.0.0.0/8) whose X-Forwarded-For is believed", []),
    cookies: list('cookies to keep, by name; ["*"] keeps all; they are secrets, so none are kept by default', []),
    ip: choice(
      "how much is kept of addresses, claimed ones too: truncated to /24 and /48, hashed with a key that lasts a day (UTC)",
      ["full", "truncated", "hashed", "none"],
      "full",
    ),
    visitor_cookie: shaped("cookie that tells the pixel's visitors apart; empty sets none", cookieName, ""),
    visitor_max_age: duration("how long that cookie lasts from the first visit on, 400d at most", "365d"),
    ack: list('acknowledgements a request may ask for: "memory", "disk", "delivered"', ["disk"]),
    ack_deadline: duration('how long a request may wait for "delivered"; then it is told that it is on disk', "30s"),
    idempotency_window: duration(
      "how long a request that comes again under its Idempotency-Key is known, and a message under its id, restarts included " +
        "however long they take; 0s looks for neither; over HTTP: what comes over ZeroMQ or by a pipe is stored each time",
      "2m",
    ),
    body_max: size("largest request body", "8MiB", 1024),
    bodies_max: size(
      "memory that the bodies of all requests together may take; beyond it they are told to come again",
      "128MiB",
      1024,
    ),
    message_max: size("largest message, so that every destination can take it", "900KiB", 1024),
    messages_max: whole("most messages in one request", 50_000, 1),
    depth_max: whole("deepest nesting of JSON", 64, 1, 1000),
    connections_max: whole("most connections at once", 10_000, 1),
    connections_per_address: whole("most connections at once from one address", 5000, 1),
    topics_max: whole("most distinct topics, unless topics_allow lists patterns", 1000, 1),
    topics_allow: list('topics that are taken, as patterns such as "web.*"; empty takes any', []),
  },
  management: {
    listen: shaped("address and port of status, metrics and tail; keep it on loopback", address, "127.0.0.1:8081"),
    public: flag(
      "allow an address beyond loopback although whoever reaches it can read every message and steer destinations",
    ),
    keys: flag("answer only to who shows a key with the scope read, and for orders admin: see sparkngin key"),
  },
  log: {
    segment: size("size of one file of the log; smaller on small disks", "64MiB", 65_536),
    retain: duration("how long delivered messages are kept for replay", "24h"),
    retain_max: size("how much of delivered messages is kept for replay", "4GiB"),
    recycle: flag("use the files of freed messages again; their bytes stay on the disk until then", true),
    ballast: size("disk space kept back for cursors, dead letters and an orderly stop when the disk is full", "64MiB"),
    level: choice(
      "least that run says of itself on standard error: info, warning (something to know) or error (something to do)",
      ["info", "warning", "error"],
      "info",
    ),
    form: choice(
      "how it says that: a line of text for people, a line of JSON for programs; auto is text on a terminal",
      ["auto", "text", "json"],
      "auto",
    ),
  },
} satisfies Record<string, Fields>;

/** What every `[[zeromq]]` understands: a way in for messages over ZeroMQ. */
export const zeromqKeys = {
  socket: choice(
    'what it is: "pull" takes and says nothing, "router" answers each message once it is synced, "sub" listens to a publisher',
    ["pull", "router", "sub"],
    "pull",
  ),
  listen: list(
    'where to listen: addresses such as "127.0.0.1:7001", or "ipc:///run/in.sock"; port 0 lets the system choose',
    [],
  ),
  connect: list("where to connect, again and again, as for listen", []),
  format: choice(
    'what a frame is: "json" is a message, a list of them or one a line, as over HTTP; "raw" is the data of a message, any bytes',
    ["json", "raw"],
    "json",
  ),
  topic: shaped("topic of messages that name none; empty refuses them", topic, ""),
  env: text("env of messages that name none", ""),
  topic_frame: flag("a frame with the topic stands in front of each message; with json it is passed over"),
  subscribe: list("beginnings of the messages that a sub asks for", [""]),
  connections_max: whole("most connections at once", 1000, 1, 100_000),
  heartbeat: duration(
    'silence after which a peer is asked whether it is there; after as long again it is gone; "0s" never asks',
    "30s",
  ),
  insecure: flag("allow addresses beyond this machine although ZeroMQ here knows neither keys nor encryption"),
} satisfies Fields;

/** What every `[[pipe]]` understands: a named pipe that lines are read from. */
export const pipeKeys = {
  path: shaped("the pipe, made by mkfifo before the start", {
    ...file,
    fits: (value) => value !== "" && file.fits(value),
  }),
  topic: shaped("topic of lines that name none", { ...topic, fits: (value) => value !== "" && topic.fits(value) }),
  env: text("env of lines that name none", ""),
  type: text("type of lines that name none", ""),
  level: text("level of lines that name none", ""),
  format: choice(
    'what a line is: "json" is a message as over HTTP; "text" is the data of one, any bytes; "auto" is a message if it can be ' +
      "read as one, else text",
    ["auto", "json", "text"],
    "auto",
  ),
  when_full: choice(
    'what becomes of lines while the log takes none: "drop" counts them, "wait" lets writers stand still',
    ["drop", "wait"],
    "drop",
  ),
} satisfies Fields;

/** What every `[[destination]]` understands, whatever its kind. */
export const destinationKeys = {
  name: shaped("name of the destination: letters, digits, dot, dash, underscore; 64 at most", destinationName),
  kind: text("which adaptor carries the messages"),
  required: flag(
    "whether the log keeps messages until this destination has them, and stops taking when the disk is full; " +
      "one that is best effort by nature (UDP, PUB) is not required unless it says so here",
    true,
  ),
  from: shaped('where a new destination starts: "now", "oldest" or a position', startingPoint, "now"),
  filter: table('which messages it gets, by topic, env, level and type, e.g. { topic = "web.*" }'),
  sample: share(
    "which share of those it gets, e.g. 0.1 for a tenth; decided by the message's id, so always the same way for the same message",
    1,
  ),
  format: checked(
    text(
      'how a message is written: "json", "json-v2", "plain \' \'" with a delimiter, "binary", "raw" or "cloudevents"',
      "json",
    ),
    (given) => void parseFormat(given),
  ),
  fields: checked(
    text(
      'which fields are written, for json and plain, e.g. "%ip% %time_stamp% %cookie_user_id% %data%"; empty is all of them ' +
        "in json, the usual ones in plain",
      "",
    ),
    (given) => void parseFields(given),
  ),
  batch: whole("most messages sent at once; fewer while the destination says that it is too much", 5000, 1, 100_000),
  batch_bytes: size("most bytes sent at once, about", "1MiB", 1024),
  linger: duration("how long to gather messages after a batch that was not full", "20ms"),
  rate_limit: whole("most messages a second that are sent to it, evenly; 0 is no limit", 0),
  rate_limit_bytes: size('the same in bytes, e.g. "10MiB"; 0 is no limit', "0"),
  deadline: duration("how long one batch may take before the connection is given up", "60s"),
  dead_max: size("room for messages this destination refuses for good; full, it pauses", "256MiB", 1_048_576),
  refused_max: whole(
    "how many of a hundred messages in a row it may refuse; beyond that it pauses, and they do not become dead letters",
    50,
    0,
    100,
  ),
  backlog_max: size(
    "how much of the log may wait for a destination that is not required, by whole segments; what is beyond it expires",
    "1GiB",
    1_048_576,
  ),
} satisfies Fields;

/** What a destination's `filter` may ask for. */
export const filterFields = ["topic", "env", "level", "type"] as const;

/** A key of the core with all the names it goes by. */
export interface Key {
  /** Nothing for the keys at the top of the file. */
  readonly section: keyof typeof sections | undefined;
  readonly name: string;
  /** As the manual calls it: "http.listen". */
  readonly path: string;
  /** "--http-listen". */
  readonly flag: string;
  /** "SPARKNGIN_HTTP__LISTEN". */
  readonly variable: string;
  readonly option: Option<unknown>;
}

/** Every key of the core but those of destinations, in the order of the manual. */
export function coreKeys(): Key[] {
  const inSections = Object.entries(sections).flatMap(([section, fields]) =>
    Object.entries(fields).map(([name, option]) => key(section as keyof typeof sections, name, option))
  );
  return [...Object.entries(topKeys).map(([name, option]) => key(undefined, name, option)), ...inSections];
}

function key(section: Key["section"], name: string, option: Option<unknown>): Key {
  const words = section === undefined ? [name] : [section, name];
  return {
    section,
    name,
    path: words.join("."),
    flag: `--${words.join("-").replaceAll("_", "-")}`,
    variable: `SPARKNGIN_${words.join("__").toUpperCase()}`,
    option,
  };
}

export type Top = Options<typeof topKeys>;
export type Sections = { readonly [S in keyof typeof sections]: Options<(typeof sections)[S]> };
export type DestinationSettings = Options<typeof destinationKeys>;

/** One `[[destination]]`: the keys common to all, and those of its adaptor. */
export interface Destination extends DestinationSettings {
  readonly options: Readonly<Record<string, unknown>>;
}
/** One `[[zeromq]]`. */
export type ZeromqEndpoint = Options<typeof zeromqKeys>;

/** One `[[pipe]]`. */
export type PipeSettings = Options<typeof pipeKeys>;

/** What was configured, complete with defaults. */
export interface Config extends Top, Sections {
  readonly zeromq: readonly ZeromqEndpoint[];
  readonly pipe: readonly PipeSettings[];
  readonly destination: readonly Destination[];
}
