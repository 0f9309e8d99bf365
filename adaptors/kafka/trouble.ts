/** Says in a sentence why brokers cannot be reached or refuse us, out of the client's nested errors. Pure. */
import { inWords } from "../reason.ts";
import { type ClientProblem, everyError } from "./answer.ts";

/** How the brokers were approached, as far as it helps to say what is wrong. */
export interface Approach {
  readonly brokers: readonly string[];
  readonly sasl: string;
  readonly username: string | undefined;
  readonly tls: boolean;
  /** Whether the end of the connection was our own doing. */
  readonly closed: boolean;
}

export function explain(problem: unknown, approach: Approach): string {
  const errors = [...everyError(problem)];
  return refusedUser(errors, approach) ?? refusedTLS(errors) ?? refusedTrust(errors, approach) ??
    refusedRight(errors) ?? refusedDefaults(errors) ??
    `cannot reach any of ${approach.brokers.join(", ")}: ${reasons(errors, approach)}`;
}

/** Kafka's error codes. */
export const unknownTopic = 3;
const topicAuthorization = 29;

/** What brokers have against a topic, where their own words do not say what to do; else undefined. */
export function explainTopic(code: number | undefined, username?: string): string | undefined {
  if (code === unknownTopic) return "does not exist at the brokers; create it or set create_topics = true";
  if (code !== topicAuthorization) return undefined;
  const who = username === undefined ? "who does not log in" : `user "${username}"`;
  return `${who} may not write to it; the brokers' rules (ACL) have to allow WRITE on it`;
}

function refusedUser(errors: readonly ClientProblem[], { sasl, username }: Approach): string | undefined {
  if (errors.some(({ message }) => message === "Cannot find a suitable SASL mechanism.")) {
    return `the brokers do not take sasl = "${sasl}"`;
  }
  const refused = errors.some(({ code, apiId }) => apiId === "SASL_AUTHENTICATION_FAILED" || code === authentication);
  if (refused) return `the brokers refused user "${username}": check username and password`;
  if (sasl === "none" && errors.some(({ apiId }) => apiId === "ILLEGAL_SASL_STATE")) {
    return "the brokers want a user: set sasl, username and password";
  }
  return undefined;
}

const authentication = "PLT_KFK_AUTHENTICATION";

function refusedTLS(errors: readonly ClientProblem[]): string | undefined {
  if (errors.some(({ message }) => message === "Broker requires TLS.")) return "the brokers speak TLS: set tls = true";
  const failed = errors.some(({ message }) => message?.startsWith("TLS handshake failed."));
  return failed ? "the brokers do not speak TLS: set tls = false" : undefined;
}

function refusedTrust(errors: readonly ClientProblem[], { tls }: Approach): string | undefined {
  const distrust = tls ? errors.find(({ code, message }) => isDistrust(code, message)) : undefined;
  if (!distrust) return undefined;
  if (distrust.message?.includes("EXPIRED")) return "the brokers' certificate has expired";
  return `the brokers' certificate is not trusted: ${distrust.message}; set tls_ca, or tls_server_name`;
}

function isDistrust(code = "", message = ""): boolean {
  return /certificate|altname|self.signed/i.test(message) || /CERT|UNABLE_TO_VERIFY/.test(code);
}

function refusedRight(errors: readonly ClientProblem[]): string | undefined {
  const refused = errors.find(({ apiId }) => apiId?.endsWith("_AUTHORIZATION_FAILED"));
  return refused && `the brokers do not allow it: ${refused.message}`;
}

/** KIP-464: before it, who creates a topic has to name its partitions and replicas. */
function refusedDefaults(errors: readonly ClientProblem[]): string | undefined {
  const refused = errors.some(({ apiId }) => apiId === "INVALID_PARTITIONS");
  return refused
    ? "brokers before Kafka 2.4 do not create it with defaults of their own; create it by hand"
    : undefined;
}

/** The innermost messages, each once. That a connection ended explains nothing when others say why. */
function reasons(errors: readonly ClientProblem[], { sasl, closed }: Approach): string {
  const innermost = errors.filter(({ errors, cause }) => (errors ?? []).length === 0 && cause === undefined);
  const told = new Set(innermost.map(({ message = "" }) => message).filter((message) => message !== ""));
  const telling = [...told].filter((message) => !isEnding.test(message)).slice(-3).map(inWords);
  if (telling.length > 0) return telling.join("; ");
  if (closed) return "no answer in time";
  return sasl === "none" ? "they closed the connection; do they want sasl?" : "they closed the connection";
}

const isEnding = /^(Client closed|Connection closed|Client is closed|Connection pool is closed)/;
