/**
 * The configuration: TOML files, the environment and flags become one `Config`, or a list of problems that say where each
 * one stands and what was expected there. Flags win over the environment, that over the files, those over the defaults.
 */
import { isAddressOrNetwork, isLoopback, parseAddress } from "./address.ts";
import { type ConfigFile, Document } from "./document.ts";
import { parseEndpoint, staysHere } from "./endpoint.ts";
import { assertListable, parseFormat } from "./format.ts";
import {
  type Config,
  coreKeys,
  type Destination,
  destinationKeys,
  filterFields,
  pipeKeys,
  type PipeSettings,
  sections,
  topKeys,
  type ZeromqEndpoint,
  zeromqKeys,
} from "./keys.ts";
import type { Path } from "./lines.ts";
import { suggestion } from "./nearest.ts";
import type { Fields, Option } from "./options.ts";
import { printed, withoutLogin } from "./printed.ts";
import { DeadReference, isTable, type Outside, resolveReferences } from "./reference.ts";

export interface ConfigSources extends Outside {
  /** Together they are one configuration. */
  readonly files?: readonly ConfigFile[];
  /** By path, e.g. "http.listen". */
  readonly flags: Readonly<Record<string, string | boolean>>;
  /** Every kind of destination with its options; those of kinds that the file does not use may be empty. */
  readonly kinds: Readonly<Record<string, Fields>>;
  /** What is wrong with a destination's options together, as the end of a sentence that begins with its place. */
  readonly problemOf?: (kind: string, options: Readonly<Record<string, unknown>>) => string | undefined;
  /** Whether a destination of this kind with these options may drop messages: nobody waits for it unless told to. */
  readonly isBestEffort?: (kind: string, options: Readonly<Record<string, unknown>>) => boolean;
}

/** Where a value came from. */
export interface Origin {
  /** "sparkngin.toml:7", "SPARKNGIN_HTTP__LISTEN", "--http-listen" or "default". */
  readonly source: string;
  /** As it was written, references not yet replaced. */
  readonly written: unknown;
}
/** By path: "data", "http.listen", "destination.bus.brokers". */
export type Origins = Readonly<Record<string, Origin>>;
export type Reading = { readonly config: Config; readonly origins: Origins } | { readonly problems: readonly string[] };

/** Variables that are no keys: of the command line, and where the executable is. */
const otherVariables = [
  "SPARKNGIN_URL",
  "SPARKNGIN_SEND_URL",
  "SPARKNGIN_KEY",
  "SPARKNGIN_CONTEXT",
  "SPARKNGIN_CONFIG",
  "SPARKNGIN_EXE",
];
/** Kubernetes tells every pod about a service called "sparkngin" by variables like these. */
const kubernetesVariable = /^SPARKNGIN_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?)$/;
/** The destinations of a configuration that names none: what is kept, and what is published to whoever listens. */
const defaultDestinations = [{ name: "out", kind: "file" }, { name: "pub", kind: "zeromq" }];

export function readConfig(sources: ConfigSources): Reading {
  const document = new Document(sources.files ?? []);
  if (document.problems.length > 0) return { problems: document.problems };
  const reader = new ConfigReader(sources, document);
  const config = reader.read();
  return reader.problems.length > 0 ? { problems: reader.problems } : { config, origins: reader.origins };
}

/** The kinds of destination that the files ask for: only their code has to be loaded. */
export function kindsIn(files: readonly ConfigFile[]): string[] {
  const destinations = new Document(files).tables.destination;
  if (!Array.isArray(destinations) || destinations.length === 0) return defaultDestinations.map(({ kind }) => kind);
  const kinds = destinations.map((destination) => isTable(destination) ? destination.kind : undefined);
  return [...new Set(kinds.filter((kind) => typeof kind === "string"))];
}

/** A value that somebody wrote, with all that is needed to complain about it. */
interface Given extends Origin {
  /** "Cannot read sparkngin.toml: line 7: ". */
  readonly where: string;
  /** `"listen" in [http]`, `--http-listen`. */
  readonly called: string;
  readonly fromFile: boolean;
}

/** Gathers problems instead of stopping at the first: who writes a configuration wants to see them all. */
class ConfigReader {
  readonly problems: string[] = [];
  readonly origins: Record<string, Given> = {};
  readonly #sources: ConfigSources;
  readonly #document: Document;

  constructor(sources: ConfigSources, document: Document) {
    this.#sources = sources;
    this.#document = document;
  }

  read(): Config {
    this.#refuseUnknownSections();
    this.#refuseUnknownVariables();
    const config = {
      ...this.#readCore(),
      zeromq: this.#readZeromq(),
      pipe: this.#readPipes(),
      destination: this.#readDestinations(),
    } as unknown as Config;
    this.#checkAddresses(config);
    this.#checkProxies(config);
    this.#checkTls(config);
    this.#checkOrigins(config);
    this.#checkVisitors(config);
    return config;
  }

  #refuseUnknownSections(): void {
    const known = [...Object.keys(topKeys), ...Object.keys(sections), "zeromq", "pipe", "destination"];
    for (const [name, value] of Object.entries(this.#document.tables)) {
      const isSection = Object.hasOwn(sections, name);
      if (!known.includes(name)) this.#refuseUnknown([name], isTable(value) ? `section [${name}]` : undefined, known);
      else if (isSection && !isTable(value)) {
        this.#refuse([name], `"${name}" is a section: write [${name}] above its keys`);
      } else if (isSection) this.#refuseUnknownKeys([name], `[${name}]`, Object.keys(sections[name as "http"]));
    }
  }

  #refuseUnknownKeys(path: Path, place: string, known: readonly string[]): void {
    for (const key of Object.keys(this.#document.at(path) as object)) {
      if (!known.includes(key)) this.#refuseUnknown([...path, key], `key "${key}" in ${place}`, known);
    }
  }

  #refuseUnknown(path: Path, what: string | undefined, known: readonly string[]): void {
    const name = String(path.at(-1));
    this.#refuse(path, `unknown ${what ?? `key "${name}"`}; ${this.#elsewhere(name, path) ?? suggestion(name, known)}`);
  }

  /** The key exists, but in another section. */
  #elsewhere(name: string, path: Path): string | undefined {
    const homes = Object.entries(sections).filter(([, fields]) => Object.hasOwn(fields, name)).map(([home]) => home);
    const stray = path.length === 1 || Object.hasOwn(sections, path[0]!);
    return stray && homes.length === 1 ? `"${name}" belongs in [${homes[0]}]` : undefined;
  }

  #refuseUnknownVariables(): void {
    const known = [...coreKeys().map(({ variable }) => variable), ...otherVariables];
    for (const name of Object.keys(this.#sources.env)) {
      if (!name.startsWith("SPARKNGIN_") || known.includes(name) || kubernetesVariable.test(name)) continue;
      this.problems.push(`Cannot read the environment: unknown variable "${name}"; ${suggestion(name, known)}`);
    }
  }

  #readCore(): Record<string, unknown> {
    const { env, flags } = this.#sources;
    const config: Record<string, unknown> = Object.fromEntries(Object.keys(sections).map((name) => [name, {}]));
    for (const { section, name, path, flag, variable, option } of coreKeys()) {
      const filePath = section === undefined ? [name] : [section, name];
      const called = section === undefined ? `"${name}"` : `"${name}" in [${section}]`;
      const given = [
        this.#fromFile(filePath, called),
        Object.hasOwn(env, variable) ? outer("environment", variable, env[variable]) : undefined,
        Object.hasOwn(flags, path) ? outer("command line", flag, flags[path]) : undefined,
      ];
      const into = section === undefined ? config : config[section] as Record<string, unknown>;
      into[name] = this.#choose(path, option, given);
    }
    return config;
  }

  /** The last of `given` that is there; the others are looked at too, so that no mistake hides behind a flag. */
  #choose(path: string, option: Option<unknown>, given: readonly (Given | undefined)[]): unknown {
    let value = option.fallback === undefined ? undefined : option.read(option.fallback);
    this.origins[path] = outer("defaults", "default", option.fallback);
    for (const one of given) {
      if (one === undefined) continue;
      value = this.#readValue(option, one);
      this.origins[path] = one;
    }
    return value;
  }

  #readValue(option: Option<unknown>, given: Given): unknown {
    try {
      return option.read(given.fromFile ? resolveReferences(given.written, this.#sources) : given.written);
    } catch (problem) {
      this.problems.push(`${given.where}${given.called} ${complaint(problem, option, given.written)}`);
      return undefined;
    }
  }

  #readZeromq(): ZeromqEndpoint[] {
    const written = this.#document.tables.zeromq ?? [];
    if (!Array.isArray(written) || !written.every(isTable)) {
      this.#refuse(["zeromq"], "a way in over ZeroMQ is written as [[zeromq]], with two brackets on each side");
      return [];
    }
    return written.map((_, number) => {
      const path = ["zeromq", number];
      const place = `[[zeromq]] number ${number + 1}`;
      const endpoint = this.#readFields(zeromqKeys, path, { id: String(number), place, table: "zeromq" });
      this.#refuseUnknownKeys(path, place, Object.keys(zeromqKeys));
      for (const problem of zeromqProblems(endpoint as ZeromqEndpoint)) this.#refuse(path, `${place} ${problem}`);
      return endpoint as ZeromqEndpoint;
    });
  }

  #readPipes(): PipeSettings[] {
    const written = this.#document.tables.pipe ?? [];
    if (!Array.isArray(written) || !written.every(isTable)) {
      this.#refuse(["pipe"], "a pipe is written as [[pipe]], with two brackets on each side");
      return [];
    }
    return written.map((_, number) => {
      const path = ["pipe", number];
      const place = `[[pipe]] number ${number + 1}`;
      const pipe = this.#readFields(pipeKeys, path, { id: String(number), place, table: "pipe" });
      this.#refuseUnknownKeys(path, place, Object.keys(pipeKeys));
      return pipe as PipeSettings;
    });
  }

  #readDestinations(): Destination[] {
    const written = this.#document.tables.destination ?? [];
    if (!Array.isArray(written) || !written.every(isTable)) {
      this.#refuse(["destination"], "a destination is written as [[destination]], with two brackets on each side");
      return [];
    }
    const destinations = written.map((_, number) => this.#readDestination(number));
    this.#refuseDoubles(destinations);
    return destinations.length > 0 ? destinations : defaultDestinations.map((given) => this.#defaultDestination(given));
  }

  #readDestination(number: number): Destination {
    const path = ["destination", number];
    const table = this.#document.at(path) as Record<string, unknown>;
    const id = String(table.name ?? number);
    const place = table.name === undefined ? `[[destination]] number ${number + 1}` : `[[destination]] "${id}"`;
    const common = this.#readFields(destinationKeys, path, { id, place });
    this.#checkFields(common, [...path, "fields"], place);
    const options = this.#optionsOf(table.kind, path, place);
    if (options !== undefined) {
      this.#refuseUnknownKeys(path, place, [...Object.keys(destinationKeys), ...Object.keys(options)]);
    }
    if (isTable(table.filter)) this.#refuseUnknownKeys([...path, "filter"], `the filter of ${place}`, filterFields);
    const values = this.#readFields(options ?? {}, path, { id, place });
    if (typeof table.kind === "string" && this.problems.length === 0) {
      const problem = this.#sources.problemOf?.(table.kind, values);
      if (problem !== undefined) this.#refuse(path, `${place} ${problem}`);
    }
    const required = this.#isRequired({ id, kind: table.kind, required: common.required }, values);
    return { ...common, required, options: values } as unknown as Destination;
  }

  /** What nobody wrote follows from what the adaptor can promise. */
  #isRequired(
    { id, kind, required }: { id: string; kind: unknown; required: unknown },
    options: Readonly<Record<string, unknown>>,
  ): unknown {
    const isWritten = this.origins[`destination.${id}.required`]?.source !== "default";
    if (isWritten || this.problems.length > 0 || typeof kind !== "string") return required;
    return !this.#sources.isBestEffort?.(kind, options);
  }

  /** Some formats have fields of their own. */
  #checkFields({ format, fields }: Record<string, unknown>, path: Path, place: string): void {
    if (typeof format !== "string" || typeof fields !== "string") return;
    try {
      assertListable(parseFormat(format), fields);
    } catch (problem) {
      this.#refuse(path, `"fields" in ${place} needs ${(problem as TypeError).message}`);
    }
  }

  #readFields(
    fields: Fields,
    path: Path,
    { id, place, table = "destination" }: { readonly id: string; readonly place: string; readonly table?: string },
  ): Record<string, unknown> {
    return Object.fromEntries(
      Object.entries(fields).map(([name, option]) => {
        const given = this.#fromFile([...path, name], `"${name}" in ${place}`);
        if (given === undefined && option.needed) this.#refuse(path, `${place} needs "${name}": ${option.help}`);
        return [name, this.#choose(`${table}.${id}.${name}`, option, [given])];
      }),
    );
  }

  /** Nothing, and a problem said, when there is no such kind. */
  #optionsOf(kind: unknown, path: Path, place: string): Fields | undefined {
    const { kinds } = this.#sources;
    if (typeof kind !== "string") return undefined;
    if (Object.hasOwn(kinds, kind)) return kinds[kind];
    const known = suggestion(kind, Object.keys(kinds));
    this.#refuse([...path, "kind"], `unknown kind "${kind}" in ${place}; ${known}`);
    return undefined;
  }

  #defaultDestination({ name, kind }: (typeof defaultDestinations)[number]): Destination {
    const named = { id: name, place: "the default destination" };
    const common = this.#readFields({ ...destinationKeys, ...ready({ name, kind }) }, ["destination", 0], named);
    const options = this.#readFields(this.#sources.kinds[kind] ?? {}, ["destination", 0], named);
    const required = this.#isRequired({ id: name, kind, required: common.required }, options);
    return { ...common, required, options } as unknown as Destination;
  }

  /** Names become directories, and some file systems hold "Bus" and "bus" for the same. */
  #refuseDoubles(destinations: readonly Destination[]): void {
    const seen = new Set<string>();
    for (const [number, { name }] of destinations.entries()) {
      const plain = name?.toLowerCase();
      if (seen.has(plain)) this.#refuse(["destination", number, "name"], `there are two destinations "${name}"`);
      seen.add(plain);
    }
  }

  #checkAddresses({ http, management }: Config): void {
    this.#refuseOpen("http", http, "who reaches it can send messages");
    this.#refuseOpen("management", management, "who reaches it can read every message and steer destinations");
    if (http.listen !== management.listen || http.listen?.endsWith(":0")) return;
    const [first, second] = [this.origins["http.listen"]!, this.origins["management.listen"]!];
    const { where, called } = second.source === "default" ? first : second;
    this.problems.push(`${where}${called} is "${http.listen}": [http] and [management] need an address each`);
  }

  #refuseOpen(section: "http" | "management", { listen, public: open, keys }: Config["management"], why: string): void {
    const address = parseAddress(listen ?? "");
    if (open && keys) this.#refuseBoth(section);
    if (address === undefined || open || keys || isLoopback(address.host)) return;
    const { where, called } = this.origins[`${section}.listen`]!;
    this.problems.push(
      `${where}${called} is "${listen}", which is beyond this machine: ${why}. ` +
        `Write keys = true in [${section}] to ask for keys (sparkngin key create makes them). ` +
        `If everybody may, write public = true in [${section}]; else listen on 127.0.0.1`,
    );
  }

  #refuseBoth(section: "http" | "management"): void {
    const { where, called } = this.origins[`${section}.keys`]!;
    this.problems.push(`${where}${called} is true, and so is public, which asks nobody for a key: keep one of the two`);
  }

  /** Half of what TLS needs would be no TLS at all. */
  #checkTls({ http }: Config): void {
    const needs = [["tls_cert", "tls_key"], ["tls_key", "tls_cert"], ["tls_client_ca", "tls_cert"]] as const;
    for (const [given, needed] of needs) {
      if (!http[given] || http[needed]) continue;
      const { where, called } = this.origins[`http.${given}`]!;
      this.problems.push(`${where}${called} needs ${needed} in [http] beside it`);
    }
  }

  #checkProxies({ http }: Config): void {
    const { where, called } = this.origins["http.trusted_proxies"]!;
    for (const proxy of http.trusted_proxies ?? []) {
      if (isAddressOrNetwork(proxy)) continue;
      this.problems.push(
        `${where}${called} has "${withoutLogin(proxy)}"; expected addresses, or IPv4 networks such as "10.0.0.0/8"`,
      );
    }
  }

  #checkOrigins({ http }: Config): void {
    const { where, called } = this.origins["http.cors_origins"]!;
    for (const origin of http.cors_origins ?? []) {
      if (origin === "*" || origin === "null" || isOrigin(origin)) continue;
      const plain = URL.canParse(origin) && isOrigin(new URL(origin).origin)
        ? `; write "${new URL(origin).origin}"`
        : "";
      this.problems.push(
        `${where}${called} has "${
          withoutLogin(origin)
        }"; expected origins as browsers send them, such as "https://www.example.com"${plain}`,
      );
    }
  }

  #checkVisitors({ http }: Config): void {
    const { where, called } = this.origins["http.visitor_max_age"]!;
    const most = 400 * 86_400_000;
    if (http.visitor_max_age === undefined || (http.visitor_max_age >= 1000 && http.visitor_max_age <= most)) return;
    this.problems.push(`${where}${called} is out of bounds; expected 1s to 400d, beyond which browsers do not go`);
  }

  #fromFile(path: Path, called: string): Given | undefined {
    const written = this.#document.at(path);
    if (written === undefined) return undefined;
    const { name, line } = this.#document.placeOf(path);
    const source = line === undefined ? name : `${name}:${line}`;
    return { source, written, where: this.#where(path), called, fromFile: true };
  }

  #refuse(path: Path, problem: string): void {
    this.problems.push(`${this.#where(path)}${problem}`);
  }

  #where(path: Path): string {
    const { name, line } = this.#document.placeOf(path);
    return `Cannot read ${name}: ${line === undefined ? "" : `line ${line}: `}`;
  }
}

/** Scheme, host and, if it is not the usual one, port, in small letters: what stands in an Origin header. */
function isOrigin(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#@*"',\s]+$/.test(text) && URL.canParse(text) &&
    (new URL(text).origin === text || !/^https?:/.test(text));
}

/** What is wrong with a `[[zeromq]]` as a whole: each ends a sentence that begins with its place. */
function* zeromqProblems({ listen, connect, format, topic, ...more }: ZeromqEndpoint): Generator<string> {
  const written = [...listen ?? [], ...connect ?? []];
  if (written.length === 0) yield 'needs "listen" or "connect": where it takes messages';
  for (const text of written) {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) {
      yield `has "${withoutLogin(text)}"; expected addresses such as "127.0.0.1:7001" or "ipc:///run/in.sock"`;
    } else if (!more.insecure && !staysHere(endpoint)) {
      yield `has "${text}", which is beyond this machine, and knows neither keys nor encryption: ` +
        "write insecure = true in it if whoever reaches it may send messages; else use 127.0.0.1 or ipc://";
    }
  }
  if (format === "raw" && topic === "" && !more.topic_frame) {
    yield 'needs "topic" or "topic_frame": a raw message cannot name its topic';
  }
}

/** A value from outside the file. */
function outer(place: string, name: string, written: unknown): Given {
  return { source: name, written, where: `Cannot read the ${place}: `, called: name, fromFile: false };
}

/** `destinationKeys` of a default destination, which nobody has written. */
function ready(values: { name: string; kind: string }): Fields {
  const { name, kind } = destinationKeys;
  return {
    name: { ...name, fallback: values.name, needed: false },
    kind: { ...kind, fallback: values.kind, needed: false },
  };
}

function complaint(problem: unknown, option: Option<unknown>, written: unknown): string {
  if (problem instanceof DeadReference) return `cannot be filled in: ${problem.message}`;
  if (!(problem instanceof TypeError)) throw problem;
  return `is ${option.secret ? "wrong" : shown(printed(option, written))}; expected ${problem.message}`;
}

function shown(written: unknown): string {
  const text = withoutLogin(typeof written === "number" ? String(written) : JSON.stringify(written));
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
