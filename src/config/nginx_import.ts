/** What the nginx module of 2013 was told, as a configuration of ours that does the same. */
import { formatAddress, isLoopback, parseAddress } from "./address.ts";
import { cookieIn, originalFields, parseFields, parseFormat } from "./format.ts";
import { type Directive, NginxProblem, parseNginx } from "./nginx.ts";

/** Something of the file that is not in the result, or is there and should be known. */
export interface ImportNote {
  readonly line: number;
  readonly text: string;
}
export interface Imported {
  readonly toml: string;
  /** In the order of their lines. */
  readonly notes: readonly ImportNote[];
}

/** Throws `NginxProblem` when the file cannot be read, or says something wrong in a directive that is ours. */
export function importNginx(text: string, name: string): Imported {
  const found = new Found(parseNginx(text));
  if (found.isEmpty) {
    throw new NginxProblem(1, "it has no sparkngin_ directive; is it another file, one that this one includes?");
  }
  return { toml: new Translation(name, found).toml(), notes: found.notes.toSorted((a, b) => a.line - b.line) };
}

/** Spellings of earlier drafts of the module's manual. */
const otherSpellings: Readonly<Record<string, string>> = {
  sparkngin_buffer_size: "sparkngin_buf_size",
  sparkngin_log_fields: "sparkngin_fields",
};
const known = [
  "sparkngin_listen",
  "sparkngin_buf_size",
  "sparkngin_gzip",
  "sparkngin_format",
  "sparkngin_fields",
] as const;
type Known = typeof known[number];
/** What an operator of nginx knows to be nginx's own, named by the dozen at most. */
const ownMax = 12;

/** The directives that matter, gathered from wherever they stand. */
class Found {
  readonly notes: ImportNote[] = [];
  readonly #directives = new Map<Known, Directive>();
  /** The location that asked for our endpoints, and what its server listens to. */
  location: Directive | undefined;
  listens: readonly Directive[] = [];
  readonly #own = new Map<string, number>();

  constructor(directives: readonly Directive[]) {
    this.#walk(directives, []);
    this.#noteOwn();
  }

  get isEmpty(): boolean {
    return this.#directives.size === 0 && this.location === undefined;
  }
  get(name: Known): Directive | undefined {
    return this.#directives.get(name);
  }
  note(line: number, text: string): void {
    this.notes.push({ line, text });
  }

  #walk(directives: readonly Directive[], around: readonly Directive[]): void {
    for (const directive of directives) {
      const { name, block, args, line } = directive;
      if (name.startsWith("sparkngin_")) this.#take(directive, around);
      else if (name === "include") {
        this.note(
          line,
          `include ${args.join(" ")} was not read: import that file, too, if it has sparkngin_ directives`,
        );
      } else if (name !== "listen" && block === undefined && !this.#own.has(name)) this.#own.set(name, line);
      if (block !== undefined) this.#walk(block, [...around, directive]);
    }
  }

  #take(directive: Directive, around: readonly Directive[]): void {
    const { line } = directive;
    if (directive.name === "sparkngin_root_loc") return this.#takeRoot(directive, around);
    const name = otherSpellings[directive.name] ?? directive.name;
    if (!isKnown(name)) return this.note(line, `${directive.name} has no counterpart here`);
    const before = this.#directives.get(name);
    if (before !== undefined) {
      throw new NginxProblem(line, `${directive.name} is there twice: line ${before.line} has it, too`);
    }
    if (directive.args.length === 0) throw new NginxProblem(line, `${directive.name} says nothing`);
    this.#directives.set(name, directive);
  }

  #takeRoot({ line }: Directive, around: readonly Directive[]): void {
    const location = around.at(-1);
    if (location?.name !== "location") {
      throw new NginxProblem(line, "sparkngin_root_loc stands in no location, which is what it speaks of");
    }
    if (this.location !== undefined) {
      this.note(line, `there is one root here: ${pathOf(location)} is left out, ${pathOf(this.location)} stays`);
      return;
    }
    this.location = location;
    const server = around.findLast(({ name }) => name === "server");
    this.listens = server?.block?.filter(({ name }) => name === "listen") ?? [];
  }

  #noteOwn(): void {
    const own = [...this.#own];
    if (own.length === 0) return;
    const more = own.length > ownMax ? ` and ${own.length - ownMax} more` : "";
    const names = own.slice(0, ownMax).map(([name, line]) => `${name} (${line})`).join(", ");
    this.note(own[0]![1], `what nginx does besides has no counterpart here: ${names}${more}`);
  }
}

function isKnown(name: string): name is Known {
  return (known as readonly string[]).includes(name);
}

function pathOf({ args }: Directive): string {
  return args.at(-1) ?? "";
}

class Translation {
  readonly #name: string;
  readonly #found: Found;

  constructor(name: string, found: Found) {
    this.#name = name;
    this.#found = found;
  }

  toml(): string {
    const fields = this.#fields();
    const sections = [...this.#http(fields), "", ...this.#publisher(fields)];
    const notes = this.#found.notes.toSorted((a, b) => a.line - b.line);
    const left = notes.length === 0 ? [] : ["", ...notes.map(({ line, text }) => comment(`line ${line}: ${text}`))];
    return `${[comment(`Made from ${this.#name} by sparkngin config import.`), "", ...sections, ...left].join("\n")}\n`;
  }

  #http(fields: string): string[] {
    const { host, port, line } = this.#listen();
    const cookies = cookiesIn(fields);
    const address = formatAddress({ host, port });
    return [
      "[http]",
      ...(line === undefined ? [comment("nginx's own default")] : []),
      ...(port > 0 && port < 1024
        ? [comment("A port below 1024 takes root, or the capability CAP_NET_BIND_SERVICE.")]
        : []),
      `listen = ${quoted(address)}`,
      `root = ${quoted(this.#root())}`,
      ...(isLoopback(host) ? [] : [
        comment("As with nginx, whoever reaches it can send. With keys = true instead, only who shows a key."),
        "public = true",
      ]),
      ...(cookies.length === 0 ? [] : [
        comment("The fields ask for them; none are kept otherwise."),
        `cookies = [${cookies.map(quoted).join(", ")}]`,
      ]),
    ];
  }

  #publisher(fields: string): string[] {
    const format = this.#format();
    const { host, port } = this.#publisherAddress();
    const isOpen = !isLoopback(host);
    return [
      comment(
        "Best effort, as it was: what nobody subscribes to is overwritten. A destination of the kind file or kafka",
      ),
      comment("beside it gets every message."),
      "[[destination]]",
      'name = "pub"',
      'kind = "zeromq"',
      `listen = [${quoted(formatAddress({ host, port }))}]`,
      ...(isOpen ? [comment("As it was, whoever reaches it can read every message."), "insecure = true"] : []),
      `buf_size = ${quoted(this.#bufSize())}`,
      `compression = "${this.#compression()}"`,
      `format = ${quoted(format)}`,
      ...(parseFormat(format).name === "binary"
        ? []
        : [comment("Add %data% for the parameters that are no fields."), `fields = ${quoted(fields)}`]),
    ];
  }

  #listen(): { readonly host: string; readonly port: number; readonly line: number | undefined } {
    const [first, ...others] = this.#found.listens;
    if (first === undefined) return { host: "0.0.0.0", port: 80, line: undefined };
    for (const { line, args } of others) {
      this.#found.note(line, `there is one address for messages here: listen ${args.join(" ")} is left out`);
    }
    const { line, args } = first;
    const [text = "", ...options] = args;
    if (text.startsWith("unix:")) {
      throw new NginxProblem(line, "a Unix socket cannot be listened on here: write a port");
    }
    if (options.includes("ssl")) {
      this.#found.note(line, "listen … ssl: write tls_cert and tls_key in [http]; as it stands here it is plain HTTP");
    }
    const address = listened(text, 80);
    if (address === undefined) {
      throw new NginxProblem(line, `listen ${shown(text)}: expected a port, or an address and a port`);
    }
    return { ...address, line };
  }

  #publisherAddress(): { readonly host: string; readonly port: number } {
    const directive = this.#found.get("sparkngin_listen");
    const text = directive?.args[0] ?? "7000";
    const address = /^\d+$|:\d+$/.test(text) ? listened(text, 7000) : undefined;
    if (address !== undefined && (directive?.args.length ?? 1) === 1) return address;
    throw new NginxProblem(directive!.line, `sparkngin_listen ${shown(directive!.args.join(" "))}: expected a port`);
  }

  #root(): string {
    const { location } = this.#found;
    if (location === undefined) {
      this.#found.note(1, "no location has sparkngin_root_loc: the endpoints are at / and /sparkngin");
      return "";
    }
    const { args, line } = location;
    const [modifier] = args;
    const path = pathOf(location).replace(/\/+$/, "");
    const isPlain = args.length === 1 || (args.length === 2 && (modifier === "=" || modifier === "^~"));
    if (isPlain && /^(\/[A-Za-z0-9._~-]+)*$/.test(path) && !/\/\.{1,2}(\/|$)/.test(path)) return path;
    const written = shown(args.join(" "));
    throw new NginxProblem(line, `location ${written} cannot be a root here: expected a path such as /sparkngin`);
  }

  #bufSize(): string {
    const directive = this.#found.get("sparkngin_buf_size");
    if (directive === undefined) return "4M";
    const { args: [text = ""], line } = directive;
    if (/^\d{1,12}[kKmMgG]?$/.test(text) && Number.parseInt(text) > 0) return text.toUpperCase();
    throw new NginxProblem(line, `${directive.name} ${shown(text)}: expected a size such as 4M`);
  }

  #compression(): string {
    const { args: [text = ""], line } = this.#found.get("sparkngin_gzip") ?? { args: ["off"], line: 0 };
    if (text === "on" || text === "off") return text === "on" ? "gzip" : "none";
    throw new NginxProblem(line, `sparkngin_gzip ${shown(text)}: expected on or off`);
  }

  #format(): string {
    const { args, line } = this.#found.get("sparkngin_format") ?? { args: ["plain"], line: 0 };
    const [name = "", delimiter = " ", ...more] = args;
    const isSimple = args.length === 1 && (name === "json" || name === "binary");
    if (isSimple) return name;
    const written = `plain '${delimiter}'`;
    try {
      if (name !== "plain" || more.length > 0) throw new TypeError("json, plain with a delimiter, or binary");
      parseFormat(written);
      return written;
    } catch (problem) {
      const given = shown(args.join(" "));
      throw new NginxProblem(line, `sparkngin_format ${given}: expected ${(problem as TypeError).message}`);
    }
  }

  /** They came as one text, or as a word each. */
  #fields(): string {
    const directive = this.#found.get("sparkngin_fields");
    if (directive === undefined) return originalFields;
    const { line, args } = directive;
    const words = args.join(" ").split(/\s+/).filter((word) => word !== "");
    const fields = words.map((word) => word === "%referer%" ? "%referrer%" : word).join(" ");
    try {
      parseFields(fields);
      return fields;
    } catch (problem) {
      throw new NginxProblem(line, `${directive.name}: expected ${(problem as TypeError).message}`);
    }
  }
}

/** An address as nginx writes it: a port, an address, both; everything where no address is named. */
function listened(text: string, port: number): { readonly host: string; readonly port: number } | undefined {
  const whole = /^\d+$/.test(text) ? `0.0.0.0:${text}` : text.replace(/^\*(?=:|$)/, "0.0.0.0");
  return parseAddress(whole) ?? parseAddress(`${whole}:${port}`);
}

function cookiesIn(fields: string): string[] {
  const names = parseFields(fields);
  if (names.some((name) => name === "cookie" || name === "cookies")) return ["*"];
  return names.map(cookieIn).filter((name) => name !== undefined);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/** JSON's escapes are TOML's, too; DEL is the one TOML wants on top. A reference it must not become. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f").replaceAll("${", "$${");
}

/** Control characters are no part of a comment, a line end least of all. */
function comment(text: string): string {
  // deno-lint-ignore no-control-regex
  return `# ${text.toWellFormed().replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, "\ufffd")}`;
}
