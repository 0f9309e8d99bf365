/** Elasticsearch and OpenSearch: bulk requests that create a document a message, under the message's id. */
import { Buffer } from "node:buffer";
import { adaptor } from "../../src/deliver/adaptor.ts";
import {
  checked,
  choice,
  duration,
  flag,
  list,
  optional,
  type Options,
  secret,
  secretPath,
  size,
  text,
} from "../../src/config/options.ts";
import type { Place } from "../../src/deliver/adaptor.ts";
import { compress } from "../../src/message/compression.ts";
import { pemOf } from "../pem.ts";
import { explain } from "./answer.ts";
import { Nodes } from "./client.ts";
import { sendBatch } from "./sender.ts";
import { indexTemplate } from "./wire.ts";

const options = {
  nodes: secretPath(checked(list('nodes of the cluster, such as "https://es-1:9200", asked in turn'), assertNodes)),
  index: checked(
    text(
      "index or data stream: a text with %topic%, %env%, %type%, %level% and, by arrival, %date% (2026.03.01), %month%",
      "logs-%topic%-%env%",
    ),
    (given) => void indexTemplate(given),
  ),
  pipeline: optional(text("ingest pipeline that documents go through")),
  ecs: flag("write documents by the Elastic Common Schema, the payload under sparkngin.data"),
  data: choice("how JSON payloads are written: as they are, or as a text that cannot be at odds with the mapping", [
    "json",
    "text",
  ], "json"),
  compression: choice("how requests are packed", ["none", "gzip"], "none"),
  request_max: size(
    "most bytes in one request before compression; not above http.max_content_length of the nodes",
    "8MiB",
    1024,
  ),
  timeout: duration("how long one request may take, its answer included", "30s"),
  username: optional(text("for basic authentication")),
  password: secret(optional(text("for basic authentication"))),
  api_key: secret(optional(text("API key, as the cluster gives it in base64"))),
  tls_ca: optional(text("certificate authority of the nodes: a file, or the PEM text itself")),
  tls_cert: optional(text("certificate to show to the nodes: a file, or the PEM text itself")),
  tls_key: secret(optional(text("key of that certificate: a file, or the PEM text itself"))),
};
type ElasticsearchOptions = Options<typeof options>;

/** Of the answer to a bulk request: an error for each document, at most. */
const answerBytes = 1 << 20;
const itemBytes = 16_384;
const answerBytesMax = 64 << 20;
/** Only what is looked at. */
const filterPath =
  "filter_path=items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason,error,status";

export default adaptor({
  summary: "Elasticsearch and OpenSearch: bulk requests, a document a message under the message's id",
  promise: () => "confirmed",
  options,

  async open(options, place, signal) {
    const nodes = nodesOf(options, place);
    try {
      await greet(nodes, signal);
    } catch (problem) {
      nodes.close();
      throw problem;
    }
    const { pipeline, compression, ecs, request_max: requestBytesMax } = options;
    const path = `/_bulk?${filterPath}${pipeline === undefined ? "" : `&pipeline=${encodeURIComponent(pipeline)}`}`;
    const plan = { indexOf: indexTemplate(options.index), ecs, asText: options.data === "text" };
    return {
      send(batch, signal) {
        const post = (plain: Uint8Array, documents: number) => {
          const headers = {
            "Content-Type": "application/x-ndjson",
            ...(compression !== "none" && { "Content-Encoding": compression }),
          };
          const body = compress(plain, compression);
          const most = Math.min(answerBytesMax, answerBytes + itemBytes * documents);
          return nodes.ask({ method: "POST", path, headers, body, answerBytesMax: most }, signal);
        };
        return sendBatch(batch, { plan, requestBytesMax, post });
      },
      async close() {
        nodes.close();
      },
    };
  },
});

/** Whether somebody is there who lets us in. Who may write need not be allowed to ask this. */
async function greet(nodes: Nodes, signal: AbortSignal): Promise<void> {
  const answer = await nodes.ask({ method: "GET", path: "/", answerBytesMax: answerBytes }, signal);
  if (answer.status === 401 || answer.status >= 500) {
    throw new Error(`Cannot connect: ${explain(answer, answer.origin)}`);
  }
}

function nodesOf(options: ElasticsearchOptions, { world }: Place): Nodes {
  if (options.nodes.length === 0) throw new TypeError("Cannot connect: nodes is empty");
  return new Nodes({
    nodes: options.nodes.map((node) => new URL(node)),
    headers: { "User-Agent": "sparkngin", "Accept": "application/json", ...authorizationOf(options) },
    tls: tlsOf(options, world.files),
    timeoutMs: options.timeout,
    clock: world.clock,
    random: world.random,
  });
}

function authorizationOf({ username, password, api_key: key }: ElasticsearchOptions): Record<string, string> {
  if ((username === undefined) !== (password === undefined)) {
    throw new TypeError("Cannot log in: username and password need each other");
  }
  if (key !== undefined && username !== undefined) {
    throw new TypeError("Cannot log in: set api_key, or username and password, not both");
  }
  if (key !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(key)) throw new TypeError("Cannot log in: api_key holds what no header can hold");
    return { Authorization: `ApiKey ${key}` };
  }
  if (username === undefined) return {};
  return { Authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

function tlsOf(options: ElasticsearchOptions, files: Place["world"]["files"]): Record<string, string> {
  const { nodes, tls_ca: ca, tls_cert: cert, tls_key: key } = options;
  const given = Object.entries({ ca, cert, key }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (given.length > 0 && nodes.some((node) => !node.startsWith("https:"))) {
    throw new TypeError("Cannot use TLS: a node does not begin with https:");
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("Cannot use TLS: tls_cert and tls_key need each other");
  }
  return Object.fromEntries(given.map(([name, pem]) => [name, pemOf(pem, files)]));
}

function assertNodes(given: readonly string[]): void {
  for (const node of given) {
    const url = URL.canParse(node) ? new URL(node) : undefined;
    if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
      throw new TypeError('URLs such as ["https://es-1:9200"]');
    }
    if (url.username !== "" || url.password !== "") {
      throw new TypeError("URLs without a login: use username and password");
    }
  }
}
