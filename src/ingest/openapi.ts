/** What can be asked of the intake's address, as OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1). Pure. */
import { type FieldLabel, meanings } from "../message/meaning.ts";
import { fieldNames, outputNames } from "../message/message.ts";
import { problemCodes } from "./problem.ts";

export interface Described {
  readonly version: string;
  /** In front of every endpoint, or "". */
  readonly root: string;
  /** Keys are asked for. */
  readonly keys: boolean;
}

type Json = { readonly [name: string]: unknown };

/** The document, as JSON. */
export function openApi({ version, root, keys }: Described): string {
  return JSON.stringify({
    openapi: "3.1.0",
    info: {
      title: "Sparkngin intake",
      version,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      description: "Takes messages, has them synced on its own disk before it answers, and delivers every one of them.",
    },
    ...(keys ? { security: [{ bearer: [] }, { basic: [] }] } : {}),
    paths: paths(root),
    components: { schemas, responses, parameters, securitySchemes },
  });
}

const ref = (place: string, name: string): Json => ({ $ref: `#/components/${place}/${name}` });
const problemAnswers = (...names: string[]): Json =>
  Object.fromEntries(names.map((name) => [name, ref("responses", name === "default" ? "Problem" : `Problem${name}`)]));
const plain = (description: string): Json => ({
  description,
  content: { "text/plain": { schema: { type: "string" } } },
});
const json = (description: string, schema: Json): Json => ({
  description,
  content: { "application/json": { schema } },
});
const image: Json = {
  description: "The pixel, whatever became of the message",
  content: { "image/gif": { schema: { type: "string", contentMediaType: "image/gif" } } },
};

/** The spellings that senders of today are told of; the others work too. */
const fieldsInQuery = [
  "topic",
  "env",
  "version",
  "type",
  "level",
  "id",
  "key",
  "ip",
  "submitted_timestamp",
  "referrer",
  "user_agent",
];

const parameters: Json = {
  ...Object.fromEntries(fieldsInQuery.map((name) => [name, {
    name,
    in: "query",
    description: `Field ${name} of the message`,
    schema: inQueryOf(name),
  }])),
  others: {
    name: "others",
    in: "query",
    description: "Every other parameter becomes a member of the message's data, in their order",
    style: "form",
    explode: true,
    schema: { type: "object", additionalProperties: { type: "string" } },
  },
  ack: {
    name: "ack",
    in: "query",
    description: "How safe the messages are before the answer, where http.ack or the key allows it",
    schema: { type: "string", pattern: "^(memory|disk|delivered(:.+)?)$", default: "disk" },
  },
  receipt: {
    name: "receipt",
    in: "query",
    description: "1: the answer tells the ids",
    schema: { type: "string", enum: ["0", "1"], default: "0" },
  },
  onBad: {
    name: "on_bad",
    in: "query",
    description: "divert: bad lines become messages of the topic http.bad_topic, where the listener has one",
    schema: { type: "string", enum: ["refuse", "divert"], default: "refuse" },
  },
  idempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description: "The request sent again with it is stored once and answered as before",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" },
  },
  traceparent: {
    name: "traceparent",
    in: "header",
    description:
      "The trace of messages that name none (W3C Trace Context); kept and passed on, and dropped when it is none",
    schema: { type: "string" },
  },
  tracestate: {
    name: "tracestate",
    in: "header",
    description: "What belongs to traceparent",
    schema: { type: "string" },
  },
};

/** The whole target is bounded, not each parameter. */
function inQueryOf(name: string): Json {
  const { maxLength: _, ...schema } = schemaOf(name);
  return schema;
}

function schemaOf(name: string): Json {
  if (name === "topic") return { type: "string", pattern: "^[A-Za-z0-9._-]{1,249}$", not: { enum: [".", ".."] } };
  if (name === "id") return { type: "string", pattern: "^[!-~]{1,128}$" };
  return { type: "string", maxLength: 8192 };
}

const own = new Set<string>(["peer_ip", "attributes", "schema"]);
const names = outputNames.map(([, name]) => name).filter((name) => !own.has(name));
const spellings = [...fieldNames.keys()].filter((name) => !(names as string[]).includes(name) && name !== "id");

const schemas: Json = {
  Message: {
    description: `One message. An object of none of these members is itself the data. Other spellings: ${
      spellings.join(", ")
    }`,
    type: "object",
    properties: {
      ...Object.fromEntries(
        ["id", ...names].filter((name) => name !== "cookies").map((name) => [name, {
          description: meanings[name as FieldLabel].what,
          anyOf: [schemaOf(name), { type: ["number", "null"] }],
        }]),
      ),
      cookies: { type: ["object", "null"], additionalProperties: { type: "string" } },
      data: { description: "Any JSON; its bytes are kept as they are" },
      header: {
        type: "object",
        description: "Of an envelope, with data beside it and nothing else: the fields stand here, and schema besides",
      },
    },
  },
  CloudEvent: {
    description: "CloudEvents 1.0.2. A binary one has its attributes as header fields, ce-id and so on",
    type: "object",
    required: ["specversion", "id", "source", "type"],
    properties: {
      specversion: { const: "1.0" },
      ...Object.fromEntries(["id", "source", "type"].map((name) => [name, { type: "string", minLength: 1 }])),
      time: { type: ["string", "null"], format: "date-time" },
      topic: { anyOf: [schemaOf("topic"), { type: "null" }] },
      data: { description: "Any JSON; its bytes are kept as they are" },
      data_base64: { type: ["string", "null"], contentEncoding: "base64" },
    },
    additionalProperties: { type: ["string", "integer", "boolean", "null"] },
  },
  Receipt: {
    type: "object",
    required: ["ack"],
    properties: {
      ids: { type: "array", items: { type: "string" } },
      first: { type: "string", description: "The first id, of more than a hundred" },
      count: { type: "integer", description: "How many were stored" },
      repeated: { type: "integer", description: "Messages left out: they came before under their ids" },
      diverted: { type: "integer", description: "Bad lines stored as bad rows" },
      ack: { enum: ["memory", "disk", "delivered"] },
    },
  },
  Status: {
    type: "object",
    required: ["version", "uptime_s", "ready", "accepted", "destinations"],
    properties: {
      version: { type: "string" },
      uptime_s: { type: "integer" },
      ready: { type: "boolean" },
      accepted: { type: "integer" },
      destinations: {
        type: "array",
        items: { type: "object", properties: { name: { type: "string" }, state: { type: "string" } } },
      },
    },
  },
  Problem: {
    description: "RFC 9457",
    type: "object",
    required: ["type", "title", "status", "detail", "retryable"],
    properties: {
      type: { enum: problemCodes.map((code) => `/errors/${code}`) },
      title: { type: "string" },
      status: { type: "integer" },
      detail: { type: "string" },
      line: { type: "integer", description: "The line or element at fault, counted from 1" },
      field: { type: "string" },
      retryable: { type: "boolean" },
      outcome: { enum: ["unknown", "refused"] },
    },
  },
};

const problem = (description: string, headers?: Json): Json => ({
  description,
  ...(headers && { headers }),
  content: { "application/problem+json": { schema: ref("schemas", "Problem") } },
});
const retryAfter: Json = { "Retry-After": { schema: { type: "string" } } };

const count: Json = { type: "string", pattern: "^[0-9]+$" };

const responses: Json = {
  Taken: {
    description: "All messages of the request are safe",
    headers: {
      "Sparkngin-Ack": { schema: { enum: ["memory", "disk", "delivered"] } },
      "Sparkngin-Repeated": { description: "Messages left out: they came before under their ids", schema: count },
      "Sparkngin-Diverted": { description: "Bad lines stored as bad rows", schema: count },
    },
  },
  Told: json("All messages of the request are safe; these are their ids", ref("schemas", "Receipt")),
  Late: json("On the disk; the delivery asked for takes longer. Not to be sent again", ref("schemas", "Receipt")),
  Problem400: problem("The request or a message of it is wrong: nothing was kept"),
  Problem401: problem("A key is needed"),
  Problem403: problem("The key does not allow this"),
  Problem404: problem("There is nothing here"),
  Problem405: problem("The method is not allowed here"),
  Problem409: problem("The first request with this Idempotency-Key is under way", retryAfter),
  Problem413: problem("Too large: nothing was kept"),
  Problem408: problem("The request came too slowly"),
  Problem414: problem("The target has more than 8192 bytes"),
  Problem431: problem("The fields of the request are too long or too many"),
  Problem415: problem("The type, charset or encoding of the body is not supported"),
  Problem422: problem("The Idempotency-Key came with another request, or a destination refused the message for good"),
  Problem429: problem("Too many requests or messages", retryAfter),
  Problem503: problem("Nothing can be taken now", retryAfter),
  Problem: problem("A fault of ours"),
};

const securitySchemes: Json = {
  bearer: { type: "http", scheme: "bearer", description: "A key made by sparkngin key create" },
  basic: { type: "http", scheme: "basic", description: "The key as password, under any name" },
};

/** Of every endpoint. */
const framing = problemAnswers("400", "405", "408", "414", "431", "default");
const taking = { ...framing, ...problemAnswers("401", "403", "409", "413", "415", "422", "429", "503") };
const inQuery = [
  ...fieldsInQuery.map((name) => ref("parameters", name)),
  ref("parameters", "ack"),
  ref("parameters", "receipt"),
];
const inHeaders = ["idempotencyKey", "traceparent", "tracestate"].map((name) => ref("parameters", name));

function paths(root: string): Json {
  const status = {
    get: {
      summary: "How it goes",
      responses: {
        200: json("How it goes", ref("schemas", "Status")),
        ...framing,
        ...problemAnswers("401", "403", "429", "503"),
      },
    },
  };
  const heartbeat = (summary: string, more: Json = {}) => ({
    get: { summary, responses: { 200: plain(summary), ...framing, ...more } },
  });
  return {
    [`${root}/log`]: {
      get: {
        summary: "Takes one message, all in the query",
        parameters: [...inQuery, ref("parameters", "others"), ...inHeaders],
        responses: {
          204: ref("responses", "Taken"),
          200: ref("responses", "Told"),
          202: ref("responses", "Late"),
          ...taking,
        },
      },
      post: {
        summary: "Takes the messages of the body, all or none",
        parameters: [...inQuery, ref("parameters", "onBad"), ...inHeaders],
        requestBody: {
          required: true,
          description: "gzip and zstd as Content-Encoding are taken",
          content: {
            "application/json": {
              schema: {
                anyOf: [ref("schemas", "Message"), { type: "array", minItems: 1, items: ref("schemas", "Message") }],
              },
            },
            "application/x-ndjson": { schema: { type: "string", description: "A message a line" } },
            "text/plain": { schema: { type: "string", description: "The data of a message a line" } },
            "application/cloudevents+json": { schema: ref("schemas", "CloudEvent") },
            "application/cloudevents-batch+json": {
              schema: { type: "array", minItems: 1, items: ref("schemas", "CloudEvent") },
            },
            "application/octet-stream": { schema: { description: "The data of one message, any bytes" } },
          },
        },
        responses: {
          204: ref("responses", "Taken"),
          200: ref("responses", "Told"),
          202: ref("responses", "Late"),
          ...taking,
        },
      },
    },
    [`${root}/log.gif`]: {
      get: {
        summary: "Takes one message for an image",
        parameters: [...inQuery, ref("parameters", "others")],
        responses: { 200: image, ...framing },
      },
    },
    [`${root}/tracker/{topic}/{site}`]: {
      get: {
        summary: "Takes one message for an image",
        parameters: ["topic", "site"].map((name) => ({
          name,
          in: "path",
          required: true,
          schema: { type: "string", pattern: "^[^/]+$" },
        })),
        responses: { 200: image, ...framing, ...problemAnswers("404") },
      },
    },
    [`${root}/status`]: status,
    [`${root}/stat`]: status,
    [`${root}/imok`]: heartbeat("The heartbeat"),
    [`${root}/livez`]: heartbeat("Alive"),
    [`${root}/readyz`]: heartbeat("Ready", problemAnswers("503")),
  };
}
