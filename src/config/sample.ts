/** A configuration file that changes nothing and explains everything: each key with its help and its default, commented out. */
import { destinationKeys, pipeKeys, sections, topKeys, zeromqKeys } from "./keys.ts";
import type { Fields, Option } from "./options.ts";
import type { KindOfDestination } from "./schema.ts";

const head = `# Configuration of Sparkngin. Nothing has to be written: what is commented out shows the default.
# "sparkngin check" says whether this file is sound, sparkngin.toml(5) has all of it at length.
`;
const pipeHead = `
# Each [[pipe]] reads lines from a named pipe. It needs path and topic.
#[[pipe]]
`;
const zeromqHead = `
# Each [[zeromq]] takes messages over ZeroMQ, too. It needs listen, e.g. ["127.0.0.1:7001"], or connect.
#[[zeromq]]
`;
const destinationHead = `
# Each [[destination]] gets every message that its filter takes, at its own pace. Without any, messages go to files below the
# data directory and, over ZeroMQ, to whoever subscribes at 127.0.0.1:7000, as if one called "out" of the kind "file" and one
# called "pub" of the kind "zeromq" were written. Any that is written replaces both.
`;

export function sampleConfig(kinds: Readonly<Record<string, KindOfDestination>>): string {
  const core = Object.entries(sections).map(([name, fields]) => `\n[${name}]\n${keys(fields)}`);
  const destinations = Object.entries(kinds).map(([kind, { summary, options }], number) => {
    const { name, kind: _, ...others } = destinationKeys;
    const common = number === 0 ? keys(others) : "";
    return `\n# ${summary}\n#[[destination]]\n#name = "${kind}"${
      number === 0 ? `  # ${name.help}` : ""
    }\n#kind = "${kind}"\n` +
      common + keys(options);
  });
  return [
    head,
    "\n",
    keys(topKeys),
    ...core,
    zeromqHead,
    keys(zeromqKeys),
    pipeHead,
    keys(pipeKeys),
    destinationHead,
    ...destinations,
  ].join("");
}

function keys(fields: Fields): string {
  return Object.entries(fields).map(([name, option]) => {
    const need = option.needed ? "; this key is needed" : "";
    return `# ${option.help}${need}\n#${name} = ${written(option)}\n`;
  }).join("");
}

function written({ fallback, kind }: Option<unknown>): string {
  if (Array.isArray(fallback)) return `[${fallback.map((one) => JSON.stringify(one)).join(", ")}]`;
  if (fallback !== undefined) return JSON.stringify(fallback);
  if (kind === "table of texts") return '{ topic = "web.*" }';
  return kind === "list of texts" ? '["..."]' : '"..."';
}
