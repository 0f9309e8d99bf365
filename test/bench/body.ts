/** What the load sends: the same message as a query, as a line of NDJSON and as a body of its own. */

export const query = "/log?level=info&type=http&stimestamp=1395012345634&ver=1.0&topic=test&env=testdata&ip=1.1.1.1";

/** About 235 bytes; fields by the names that we take, the one that is no field of ours in `data`. */
export function messageLine(number: number): string {
  return JSON.stringify({
    level: "info",
    type: "http",
    stimestamp: 1_395_012_345_634 + number,
    ver: "1.0",
    topic: "test",
    env: "testdata",
    ip: "1.1.1.1",
    user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)",
    referrer: "http://www.example.com/p?x=1",
    data: { sid: "0123456789abcdef" },
  });
}

export function lines(count: number): string {
  return Array.from({ length: count }, (_, number) => `${messageLine(number)}\n`).join("");
}
