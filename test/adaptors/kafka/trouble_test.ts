import assert from "node:assert";
import { explain } from "../../../adaptors/kafka/trouble.ts";

const approach = { brokers: ["a:1", "b:2"], sasl: "PLAIN", username: "ev", tls: true, closed: false };

function nested(...causes: unknown[]): Error {
  return new AggregateError(
    causes.map((cause) => new Error("Connection failed.", { cause })),
    "Cannot connect to any broker.",
  );
}

Deno.test("a refused user is told from an absent broker, however deep it is in the client's error", () => {
  const refused = Object.assign(new Error("SASL authentication failed."), { code: "PLT_KFK_AUTHENTICATION" });
  assert.equal(explain(nested(refused), approach), 'the brokers refused user "ev": check username and password');
  assert.equal(
    explain(nested(new Error("connect ECONNREFUSED a:1"), new Error("connect ECONNREFUSED b:2")), approach),
    "cannot reach any of a:1, b:2: connect ECONNREFUSED a:1; connect ECONNREFUSED b:2",
  );
});

Deno.test("the end of a connection is given as the reason only where there is no better one", () => {
  const ended = new Error("Connection closed");
  assert.match(explain(nested(ended, new Error("ETIMEDOUT")), approach), /: ETIMEDOUT$/);
  assert.match(explain(nested(ended), approach), /they closed the connection$/);
  assert.match(explain(nested(ended), { ...approach, sasl: "none" }), /do they want sasl\?$/);
  assert.match(explain(nested(ended), { ...approach, closed: true }), /no answer in time$/);
});

Deno.test("missing rights are named", () => {
  const refused = Object.assign(new Error("Cluster authorization failed."), { apiId: "CLUSTER_AUTHORIZATION_FAILED" });
  assert.equal(explain(nested(refused), approach), "the brokers do not allow it: Cluster authorization failed.");
});

Deno.test("brokers that create no topic with defaults of their own are told from those that are away", () => {
  const refused = Object.assign(new Error("Number of partitions is below 1."), { apiId: "INVALID_PARTITIONS" });
  assert.match(explain(nested(refused), approach), /^brokers before Kafka 2\.4 .*; create it by hand$/);
});

Deno.test("an error that is its own cause ends", () => {
  const circular: { message: string; cause?: unknown } = { message: "x" };
  circular.cause = circular;
  assert.match(explain(circular, approach), /cannot reach/);
});
