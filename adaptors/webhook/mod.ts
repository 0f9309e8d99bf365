/** HTTP webhooks: batches of messages as the bodies of POST requests; a 2xx is the receiver's word that it has them. */
import { adaptor, type Delivery } from "../../src/deliver/adaptor.ts";
import {
  checked,
  choice,
  duration,
  list,
  optional,
  type Options,
  secret,
  secretPath,
  table,
  text,
} from "../../src/config/options.ts";
import { compressions } from "../../src/message/compression.ts";
import type { Files, World } from "../../src/os/world.ts";
import { pemOf } from "../pem.ts";
import { Client } from "./client.ts";
import { Egress } from "./egress.ts";
import { sendBatch } from "./sender.ts";
import { explain, type Receiver, secretsIn } from "./verdict.ts";
import { assertHeaders, requestOf, type RequestPlan } from "./wire.ts";

const options = {
  url: secretPath(checked(text('where requests go, e.g. "https://hooks.example.com/in"'), assertURL)),
  body: choice(
    'what a request holds: a line a message, an array of messages, a batch of CloudEvents (with format = "cloudevents"), or one message',
    [
      "ndjson",
      "array",
      "cloudevents",
      "message",
    ],
    "ndjson",
  ),
  headers: secret(checked(table("further headers, by name"), (given = {}) => assertHeaders(given))),
  compression: choice("how requests are packed (Content-Encoding)", compressions, "none"),
  timeout: duration("how long one request may take, its answer included", "15s"),
  username: optional(text("for basic authentication")),
  password: secret(optional(text("for basic authentication"))),
  bearer: secret(optional(text("token for bearer authentication"))),
  signature_secret: secret(optional(text("key of the HMAC-SHA256 in the header Sparkngin-Signature"))),
  signature_secret_previous: secret(optional(text("the key before, while receivers change over: both sign"))),
  allow: checked(
    list('hosts, addresses and networks it may connect to, such as "*.example.com"; empty is any but link-local', []),
    (given) => void new Egress(given),
  ),
  tls_ca: optional(text("certificate authority of the receiver: a file, or the PEM text itself")),
  tls_cert: optional(text("certificate to show to the receiver: a file, or the PEM text itself")),
  tls_key: secret(optional(text("key of that certificate: a file, or the PEM text itself"))),
};
type WebhookOptions = Options<typeof options>;

export default adaptor({
  summary: "HTTP: batches as POST requests, taken when the receiver answers 2xx",
  promise: () => "confirmed",
  options,

  async open(options, place, signal) {
    signal.throwIfAborted();
    const { clock } = place.world;
    const plan = planOf(options, place.generation);
    const client = clientOf(options, place.world);
    const receiver = receiverOf(options);
    return {
      send(batch, signal) {
        const post = (part: readonly Delivery[]) => client.post(requestOf(part, plan, clock.now()), signal);
        const single = options.body === "message";
        return sendBatch(batch, {
          clock,
          explain: (answer) => explain(answer, receiver),
          single,
          patienceMs: options.timeout,
          post,
        });
      },
      async close() {
        client.close();
      },
    };
  },

  async check(options, place, signal) {
    planOf(options, place.generation);
    await clientOf(options, place.world).reach(signal);
  },
});

function clientOf(options: WebhookOptions, { clock, files }: World): Client {
  return new Client({
    url: new URL(options.url),
    clock,
    egress: new Egress(options.allow),
    tls: tlsOf(options, files),
    timeoutMs: options.timeout,
  });
}

function receiverOf({ url, headers = {}, password, bearer }: WebhookOptions): Receiver {
  const { origin } = new URL(url);
  return { origin, secrets: [...secretsIn(new URL(url)), ...Object.values(headers), password ?? "", bearer ?? ""] };
}

function planOf(options: WebhookOptions, generation: number): RequestPlan {
  const { body, compression, headers = {}, signature_secret: present, signature_secret_previous: previous } = options;
  if (present === undefined && previous !== undefined) {
    throw new TypeError("Cannot sign: signature_secret_previous needs signature_secret beside it");
  }
  return {
    shape: body,
    compression,
    headers: { "User-Agent": "sparkngin", ...headers, ...authorizationOf(options) },
    secrets: [present, previous].filter((one) => one !== undefined),
    generation,
  };
}

function authorizationOf({ username, password, bearer }: WebhookOptions): Record<string, string> {
  if ((username === undefined) !== (password === undefined)) {
    throw new TypeError("Cannot log in: username and password need each other");
  }
  if (bearer !== undefined && username !== undefined) {
    throw new TypeError("Cannot log in: set bearer, or username and password, not both");
  }
  if (bearer !== undefined) {
    const headers = { Authorization: `Bearer ${bearer}` };
    assertHeaders(headers);
    return headers;
  }
  if (username === undefined) return {};
  const pair = new TextEncoder().encode(`${username}:${password}`);
  return { Authorization: `Basic ${btoa(String.fromCharCode(...pair))}` };
}

function tlsOf(options: WebhookOptions, files: Files): Record<string, string> {
  const { url, tls_ca: ca, tls_cert: cert, tls_key: key } = options;
  const given = Object.entries({ ca, cert, key }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (given.length > 0 && !url.startsWith("https:")) {
    throw new TypeError("Cannot use TLS: url does not begin with https:");
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("Cannot use TLS: tls_cert and tls_key need each other");
  }
  return Object.fromEntries(given.map(([name, pem]) => [name, pemOf(pem, files)]));
}

function assertURL(given: string): void {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new TypeError("a URL that begins with https: or http:");
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError("a URL without a login: use username and password");
  }
  if (url.hash !== "") throw new TypeError("a URL without a fragment");
}
