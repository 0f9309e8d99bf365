/** The configuration as JSON Schema, for editors: made from the tables of keys. Somewhat stricter than we are with quotes. */
import { destinationKeys, filterFields, pipeKeys, sections, topKeys, zeromqKeys } from "./keys.ts";
import type { Fields, Option, Schema } from "./options.ts";

/** A kind of destination, as its adaptor declares it. */
export interface KindOfDestination {
  readonly summary: string;
  readonly options: Fields;
}

export function configSchema(kinds: Readonly<Record<string, KindOfDestination>>): Schema {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "sparkngin.toml",
    type: "object",
    additionalProperties: false,
    properties: {
      ...properties(topKeys),
      ...Object.fromEntries(Object.entries(sections).map(([name, fields]) => [name, closed(properties(fields))])),
      zeromq: {
        type: "array",
        description: "ways in for messages over ZeroMQ, beside HTTP",
        items: closed(properties(zeromqKeys)),
      },
      pipe: {
        type: "array",
        description: "named pipes that lines are read from",
        items: closed(properties(pipeKeys)),
      },
      destination: {
        type: "array",
        description: "places that every message is delivered to; without any, messages go to files",
        items: { oneOf: Object.entries(kinds).map(([name, kind]) => destination(name, kind)) },
      },
    },
  };
}

function destination(name: string, { summary, options }: KindOfDestination): Schema {
  const fields = { ...destinationKeys, ...options };
  const filter = closed(Object.fromEntries(filterFields.map((field) => [field, { type: "string" }])));
  return {
    description: summary,
    ...closed({
      ...properties(fields),
      kind: { ...property(destinationKeys.kind), const: name },
      filter: { ...filter, description: destinationKeys.filter.help },
    }),
    required: Object.entries(fields).flatMap(([key, { needed }]) => needed ? [key] : []),
  };
}

function closed(properties: Schema): Schema {
  return { type: "object", additionalProperties: false, properties };
}

function properties(fields: Fields): Schema {
  return Object.fromEntries(Object.entries(fields).map(([name, option]) => [name, property(option)]));
}

function property({ help, fallback, schema }: Option<unknown>): Schema {
  return { description: help, ...schema, ...(fallback !== undefined && { default: fallback }) };
}
