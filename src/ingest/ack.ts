/** What a sender wants to be true before it hears yes: on the way to the disk, on the disk, or with a destination. */
import { badMessage, type Problem, quoted } from "./problem.ts";

export type Ack =
  | { readonly level: "memory" | "disk" }
  /** By all required destinations that confirm, or by the one named. */
  | { readonly level: "delivered"; readonly name?: string };
export type AckLevel = Ack["level"];

export const diskAck: Ack = { level: "disk" };

/** From the query or the header; the listener says which levels it gives. Never silently a weaker one. */
export function parseAck(asked: string | null | undefined, allowed: readonly string[]): Ack | Problem {
  if (asked === undefined || asked === null || asked === "disk") return diskAck;
  const ack = readAck(asked);
  if (ack === undefined) return badMessage("ack", 'ack must be "memory", "disk", "delivered" or "delivered:NAME"');
  if (allowed.includes(ack.level)) return ack;
  return badMessage("ack", `ack ${quoted(asked)} is allowed neither by this listener (http.ack) nor by a key`);
}

function readAck(asked: string): Ack | undefined {
  if (asked === "memory" || asked === "delivered") return { level: asked };
  return asked.startsWith("delivered:") ? { level: "delivered", name: asked.slice("delivered:".length) } : undefined;
}
