/** Every kind of destination by its name, loaded when it is configured: what is not used costs nothing. */
import type { AdaptorKind } from "../src/deliver/adaptor.ts";

export const adaptors: Readonly<Record<string, () => Promise<{ default: AdaptorKind<any> }>>> = {
  elasticsearch: () => import("./elasticsearch/mod.ts"),
  file: () => import("./file/mod.ts"),
  kafka: () => import("./kafka/mod.ts"),
  syslog: () => import("./syslog/mod.ts"),
  webhook: () => import("./webhook/mod.ts"),
  zeromq: () => import("./zeromq/mod.ts"),
};
