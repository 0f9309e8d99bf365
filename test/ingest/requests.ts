/**
 * Requests as bytes, one byte a character, and what each must be answered. They are said to a connection in memory
 * and to the executable alike, followed by a further request: `next` where the connection goes on, else `smuggled`.
 */

export interface RawRequest {
  readonly fact: string;
  /** The rule, or the attack's name. */
  readonly why: string;
  readonly raw: string;
  readonly answers: readonly number[];
  readonly ends: boolean;
}

export const next = "GET /log?topic=next HTTP/1.1\r\nHost: x\r\n\r\n";
/** Nobody may ever take this for a request. */
export const smuggled = "GET /log?topic=smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

export const requests: RawRequest[] = [];

/** The connection serves the next request afterwards. */
function goesOn(fact: string, why: string, raw: string, ...answers: number[]): void {
  requests.push({ fact, why, raw, answers, ends: false });
}

/** The last answer closes the connection. */
function ends(fact: string, why: string, raw: string, ...answers: number[]): void {
  requests.push({ fact, why, raw, answers, ends: true });
}

const log = "/log?topic=edge";
const getLine = `GET ${log} HTTP/1.1\r\n`;
const postLine = `POST ${log} HTTP/1.1\r\n`;
/** A GET with these lines, each with its line end. */
const get = (lines: string): string => `${getLine}Host: x\r\n${lines}\r\n`;
const post = (lines: string, body: string): string => `${postLine}Host: x\r\n${lines}\r\n${body}`;
const event = "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /\r\nce-type: t\r\n";
const start = (line: string): string => `${line}\r\nHost: x\r\n\r\n`;
const chunks = "2\r\n{}\r\n0\r\n\r\n";
const chunked = (body: string): string => post("Transfer-Encoding: chunked\r\n", body);
const coding = (value: string): string => post(`Transfer-Encoding:${value}\r\n`, chunks);
const length = (value: string): string => post(`Content-Length:${value}\r\n`, "{}");
const host = (value: string): string => `${getLine}Host:${value}\r\n\r\n`;
const targetOf = (bytes: number): string => `${log}&a=`.padEnd(bytes, "a");

// What every client sends.
goesOn("GET", "RFC 9110 9.3.1", get(""), 204);
goesOn("HEAD stores nothing", "RFC 9110 9.3.2", start("HEAD /log HTTP/1.1"), 204);
goesOn("POST with a length", "RFC 9112 6.2", length(" 2"), 204);
goesOn("POST in chunks", "RFC 9112 7.1", chunked(chunks), 204);
goesOn("a binary CloudEvent", "CloudEvents HTTP 3.1", post(`${event}Content-Length: 2\r\n`, "{}"), 204);
goesOn("a binary CloudEvent without data", "CloudEvents HTTP 3.1", post(`${event}Content-Length: 0\r\n`, ""), 204);
goesOn("names of attributes in any case", "RFC 9110 5.1", post(event.toUpperCase(), ""), 204);
goesOn("an attribute twice", "CloudEvents 1.0.2", post(`${event}ce-id: 2\r\n`, ""), 400);
goesOn("an overlong escape in an attribute", "CloudEvents HTTP 3.1.3.2", post(`${event}ce-x: %C0%A0\r\n`, ""), 400);
goesOn("a trace that is none", "Trace Context 3.2", get("traceparent: 00-0-0-0\r\ntraceparent: \xff\r\n"), 204);
goesOn("bad lines to nowhere", "on_bad", post("Sparkngin-On-Bad: divert\r\nContent-Length: 2\r\n", "{}"), 400);
goesOn("POST without a body", "RFC 9112 6.3 rule 7", post("", ""), 400);
goesOn("POST of length 0", "RFC 9112 6.3 rule 6", post("Content-Length: 0\r\n", ""), 400);
goesOn("GET with a body", "RFC 9110 9.3.1", get("Content-Length: 2\r\n") + "{}", 204);
goesOn("GET with a chunked body", "RFC 9110 9.3.1", get("Transfer-Encoding: chunked\r\n") + chunks, 204);
goesOn("HEAD with a body", "RFC 9110 9.3.2", "HEAD /log HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 204);
goesOn(
  "a short body that nobody wants",
  "RFC 9112 9.3",
  post("Content-Length: 2\r\n", "{}").replace("/log", "/no"),
  404,
);
goesOn("short chunks that nobody wants", "RFC 9112 9.3", chunked(chunks).replace("/log", "/no"), 404);
ends(
  "a long body that nobody wants",
  "RFC 9112 9.3",
  post("Content-Length: 70000\r\n", "x".repeat(70_000)).replace("/log", "/no"),
  404,
);

// Method.
goesOn("a method in small letters is another", "RFC 9110 9.1", start(`get ${log} HTTP/1.1`), 405);
goesOn("an unknown method", "RFC 9110 9.1", start(`BREW ${log} HTTP/1.1`), 405);
goesOn("a method of 32 letters", "RFC 9112 3", start(`${"M".repeat(32)} ${log} HTTP/1.1`), 405);
ends("a method of 33 letters", "RFC 9112 3", start(`${"M".repeat(33)} ${log} HTTP/1.1`), 501);
ends("a method of 10 000 letters", "RFC 9112 3", start(`${"M".repeat(10_000)} ${log} HTTP/1.1`), 501);
ends("a method of 40 000 letters", "RFC 9112 3", start(`${"M".repeat(40_000)} ${log} HTTP/1.1`), 501);
ends("a method that is no token", "RFC 9110 9.1", start(`GE(T) ${log} HTTP/1.1`), 400);
ends("a method beyond ASCII", "RFC 9110 9.1", start(`G\xc9T ${log} HTTP/1.1`), 400);
ends("NUL in the method", "RFC 9110 9.1", start(`G\0ET ${log} HTTP/1.1`), 400);
ends("no method", "RFC 9112 3", start(` ${log} HTTP/1.1`), 400);
ends("CONNECT", "RFC 9110 9.3.6", start("CONNECT example.org:443 HTTP/1.1"), 400);
ends("CONNECT to a path", "RFC 9110 9.3.6", start(`CONNECT ${log} HTTP/1.1`), 400);
goesOn("TRACE is not reflected", "RFC 9110 9.3.8", start(`TRACE ${log} HTTP/1.1`), 405);

// Request line.
ends("two spaces behind the method", "RFC 9112 3", start(`GET  ${log} HTTP/1.1`), 400);
ends("two spaces before the version", "RFC 9112 3", start(`GET ${log}  HTTP/1.1`), 400);
ends("a tab behind the method", "RFC 9112 3", start(`GET\t${log} HTTP/1.1`), 400);
ends("a tab before the version", "RFC 9112 3", start(`GET ${log}\tHTTP/1.1`), 400);
ends("a space behind the version", "RFC 9112 3", start(`GET ${log} HTTP/1.1 `), 400);
ends("a space before the method", "RFC 9112 2.2", start(` GET ${log} HTTP/1.1`), 400);
ends("no target", "RFC 9112 3", start("GET HTTP/1.1"), 400);
ends("an empty target", "RFC 9112 3", start("GET  HTTP/1.1"), 400);
ends("a space in the target", "RFC 9112 3.2", start(`GET ${log}&a=b c HTTP/1.1`), 400);
ends("NUL in the target", "RFC 9112 3.2", start(`GET ${log}&a=\0 HTTP/1.1`), 400);
ends("a control in the target", "RFC 9112 3.2", start(`GET ${log}&a=\x01 HTTP/1.1`), 400);
ends("DEL in the target", "RFC 9112 3.2", start(`GET ${log}&a=\x7f HTTP/1.1`), 400);
ends("a bare CR in the target", "RFC 9112 2.2", start(`GET ${log}\r&a=b HTTP/1.1`), 400);
ends("a bare LF in the target", "RFC 9112 2.2", start(`GET ${log}\n&a=b HTTP/1.1`), 400);
ends("a bare LF behind the request line", "RFC 9112 2.2", `GET ${log} HTTP/1.1\nHost: x\r\n\r\n`, 400);
ends("a bare CR behind the request line", "RFC 9112 2.2", `GET ${log} HTTP/1.1\rHost: x\r\n\r\n`, 400);
ends("two CR behind the request line", "RFC 9112 2.2", `GET ${log} HTTP/1.1\r\r\nHost: x\r\n\r\n`, 400);
ends("all lines with bare LF", "RFC 9112 2.2", `GET ${log} HTTP/1.1\nHost: x\n\n`, 400);
goesOn("empty lines before the request", "RFC 9112 2.2", `\r\n\r\n\r\n${get("")}`, 204);
ends("a bare LF before the request", "RFC 9112 2.2", `\n${get("")}`, 400);
ends("a bare CR before the request", "RFC 9112 2.2", `\r${get("")}`, 400);
ends("NUL before the request", "RFC 9112 2.2", `\0${get("")}`, 400);
ends("a byte order mark before the request", "RFC 9112 3", `\xef\xbb\xbf${get("")}`, 400);
ends("a fold before the first field", "RFC 9112 2.2", `${getLine} X: y\r\nHost: x\r\n\r\n`, 400);

// Version, and who speaks something else.
ends("HTTP/0.9", "RFC 1945 4.1", "GET /log?topic=edge\r\n", 400);
ends("HTTP/0.9 that says so", "RFC 9110 2.5", start(`GET ${log} HTTP/0.9`), 505);
ends("HTTP/1.2", "RFC 9110 2.5", start(`GET ${log} HTTP/1.2`), 505);
ends("HTTP/2.0", "RFC 9110 15.6.6", start(`GET ${log} HTTP/2.0`), 505);
ends("a version of two digits", "RFC 9112 2.3", start(`GET ${log} HTTP/1.10`), 400);
ends("a version with a leading zero", "RFC 9112 2.3", start(`GET ${log} HTTP/01.1`), 400);
ends("a version in small letters", "RFC 9112 2.3", start(`GET ${log} http/1.1`), 400);
ends("a version without a point", "RFC 9112 2.3", start(`GET ${log} HTTP/11`), 400);
ends("a version with a comma", "RFC 9112 2.3", start(`GET ${log} HTTP/1,1`), 400);
ends("a space in the version", "RFC 9112 2.3", start(`GET ${log} HTTP/ 1.1`), 400);
ends("another protocol's name", "RFC 9112 2.3", start(`GET ${log} HTTPS/1.1`), 400);
ends("the preface of HTTP/2", "RFC 9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
ends("TLS on the plain port", "RFC 8446 4.1.2", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400);
ends("SSH", "RFC 4253 4.2", "SSH-2.0-OpenSSH_9.2\r\n", 400);
ends("SMTP", "cross-protocol", "EHLO example.org\r\nMAIL FROM:<a@example.org>\r\n", 400);
ends("Redis", "cross-protocol", "*1\r\n$4\r\nPING\r\n", 400);
ends("the PROXY protocol", "cross-protocol", `PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get("")}`, 400);
ends("the PROXY protocol in binary", "cross-protocol", `\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c${get("")}`, 400);
ends("RTSP", "cross-protocol", "OPTIONS rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400);
ends("a response", "response splitting", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400);

// HTTP/1.0.
ends("HTTP/1.0", "RFC 9112 9.3", `GET ${log} HTTP/1.0\r\n\r\n`, 204);
goesOn("HTTP/1.0 with keep-alive", "RFC 9112 C.2.2", `GET ${log} HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n`, 204);
ends(
  "HTTP/1.0 with keep-alive and close",
  "RFC 9112 9.3",
  `GET ${log} HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n`,
  204,
);
ends(
  "HTTP/1.0 with Proxy-Connection",
  "RFC 9112 C.2.2",
  `GET ${log} HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n`,
  204,
);
ends("HTTP/1.0 with a body", "RFC 9112 6.2", `POST ${log} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}`, 204);
ends("HTTP/1.0 without a length", "RFC 9112 6.3 rule 7", `POST ${log} HTTP/1.0\r\n\r\n`, 400);
ends(
  "HTTP/1.0 with Transfer-Encoding",
  "RFC 9112 6.1",
  `POST ${log} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  400,
);
ends("HTTP/1.0 with two hosts", "RFC 9112 3.2", `GET ${log} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n`, 400);
goesOn(
  "HTTP/1.0 expects in vain",
  "RFC 9110 10.1.1",
  `POST ${log} HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  204,
);

// Forms of the target.
goesOn("the absolute form", "RFC 9112 3.2.2", start(`GET http://x${log} HTTP/1.1`), 204);
goesOn("the absolute form in capitals", "RFC 9110 4.2.3", start(`GET HTTP://X:80${log} HTTP/1.1`), 204);
goesOn("the absolute form of https", "RFC 9112 3.2.2", start(`GET https://x${log} HTTP/1.1`), 204);
goesOn("the absolute form for another host", "RFC 9112 3.2.2", start(`GET http://other.example${log} HTTP/1.1`), 204);
goesOn("the absolute form without a path", "RFC 9112 3.2.1", start("GET http://x HTTP/1.1"), 200);
goesOn("the absolute form without a path but a query", "RFC 9112 3.2.2", start("GET http://x?a=b HTTP/1.1"), 200);
ends("the absolute form without a Host", "RFC 9112 3.2", `GET http://x${log} HTTP/1.1\r\n\r\n`, 400);
ends("the absolute form of another scheme", "RFC 9112 3.2.2", start("GET ftp://x/log HTTP/1.1"), 400);
ends("the absolute form with a user", "RFC 9110 4.2.4", start(`GET http://user:word@x${log} HTTP/1.1`), 400);
ends("the absolute form with an empty host", "RFC 9110 4.2.1", start(`GET http://${log} HTTP/1.1`), 400);
ends("the absolute form with one slash", "RFC 9112 3.2.2", start(`GET http:/x${log} HTTP/1.1`), 400);
ends("a target that is no path", "RFC 9112 3.2", start("GET log?topic=edge HTTP/1.1"), 400);
ends("a target that begins with a query", "RFC 9112 3.2", start("GET ?topic=edge HTTP/1.1"), 400);
ends("a target with backslashes", "RFC 9112 3.2", start("GET \\log HTTP/1.1"), 400);
goesOn("a target that begins with //", "SSRF by //host", start(`GET //other.example${log} HTTP/1.1`), 404);
goesOn("a target that climbs", "path traversal", start("GET /../../etc/passwd HTTP/1.1"), 404);
goesOn("a target with a fragment", "RFC 9112 3.2.1", start("GET /status#/log HTTP/1.1"), 404);
goesOn("* of OPTIONS", "RFC 9112 3.2.4", start("OPTIONS * HTTP/1.1"), 204);
ends("* of GET", "RFC 9112 3.2.4", start("GET * HTTP/1.1"), 400);
goesOn("UTF-8 in the target", "RFC 3986 2.1, tolerated", start(`GET ${log}&a=\xc3\xa9 HTTP/1.1`), 204);
goesOn("no UTF-8 in the target", "RFC 3986 2.1", start(`GET ${log}&a=\xff HTTP/1.1`), 400);
goesOn("a target of 8 KiB", "RFC 9112 3", start(`GET ${targetOf(8192)} HTTP/1.1`), 204);
ends("a target of a byte more", "RFC 9112 3", start(`GET ${targetOf(8193)} HTTP/1.1`), 414);
ends("a target of 20 KB", "RFC 9112 3", start(`GET ${targetOf(20_000)} HTTP/1.1`), 414);
ends("a target of 70 KB", "RFC 9112 3", start(`GET ${targetOf(70_000)} HTTP/1.1`), 414);

// Host.
ends("no Host", "RFC 9112 3.2", `${getLine}\r\n`, 400);
ends("the same Host twice", "RFC 9112 3.2", `${getLine}Host: x\r\nHost: x\r\n\r\n`, 400);
ends("two hosts", "RFC 9112 3.2", `${getLine}Host: a\r\nhost: b\r\n\r\n`, 400);
ends("two hosts, one empty", "RFC 9112 3.2", `${getLine}Host:\r\nHost: x\r\n\r\n`, 400);
goesOn("an empty Host", "RFC 9112 3.2", host(""), 204);
goesOn("a Host with a port", "RFC 9110 7.2", host(" x:8080"), 204);
goesOn("a Host with an empty port", "RFC 3986 3.2.3", host(" x:"), 204);
goesOn("a Host that is an IPv6 address", "RFC 3986 3.2.2", host(" [::1]:8080"), 204);
goesOn("a Host with an underscore and an escape", "RFC 3986 3.2.2", host(" a_b.%41"), 204);
ends("a list of hosts", "RFC 9112 3.2", host(" a, b"), 400);
ends("a space in the Host", "RFC 9112 3.2", host(" a b"), 400);
ends("a path in the Host", "RFC 9112 3.2", host(" a/b"), 400);
ends("a URL as the Host", "RFC 9112 3.2", host(" http://a"), 400);
ends("a user in the Host", "RFC 9110 7.2", host(" user@a"), 400);
ends("two ports in the Host", "RFC 9110 7.2", host(" a:80:80"), 400);
ends("a port that is no number", "RFC 9110 7.2", host(" a:b"), 400);
ends("an IPv6 address without brackets", "RFC 3986 3.2.2", host(" ::1"), 400);
ends("half a bracket in the Host", "RFC 3986 3.2.2", host(" [::1"), 400);
ends("a bad escape in the Host", "RFC 3986 2.1", host(" a%zz"), 400);
ends("quotes in the Host", "RFC 9110 7.2", host(' "a"'), 400);
ends("a Host beyond ASCII", "RFC 9110 7.2", host(" \xc3\xa9"), 400);
ends("a space before the colon of Host", "RFC 9112 5.1", `${getLine}Host : x\r\n\r\n`, 400);

// Field lines.
goesOn("names in any case", "RFC 9110 5.1", `${getLine}hOsT: x\r\n\r\n`, 204);
goesOn("no space behind the colon", "RFC 9112 5.1", get("X:y\r\n"), 204);
goesOn("spaces and tabs around a value", "RFC 9112 5.1", get("X: \t y \t \r\n"), 204);
goesOn("an empty value", "RFC 9110 5.5", get("X:\r\nY: \t\r\n"), 204);
goesOn("a value beyond ASCII", "RFC 9110 5.5", get("X: \xff\xfe\x80\r\n"), 204);
goesOn("all letters of a token", "RFC 9110 5.6.2", get("!#$%&'*+-.^_`|~09AZaz: y\r\n"), 204);
ends("a space before a colon", "RFC 9112 5.1", get("X : y\r\n"), 400);
ends("a tab before a colon", "RFC 9112 5.1", get("X\t: y\r\n"), 400);
ends("no colon", "RFC 9112 5", get("X\r\n"), 400);
ends("no name", "RFC 9112 5", get(": y\r\n"), 400);
ends("a space in a name", "RFC 9112 5", get("X Y: z\r\n"), 400);
ends("a bracket in a name", "RFC 9110 5.1", get("X(Y): z\r\n"), 400);
ends("a name beyond ASCII", "RFC 9110 5.1", get("X\xe9: z\r\n"), 400);
ends("NUL in a name", "RFC 9110 5.1", get("X\0: z\r\n"), 400);
ends("NUL in a value", "RFC 9110 5.5", get("X: a\0b\r\n"), 400);
ends("a control in a value", "RFC 9110 5.5", get("X: a\x01b\r\n"), 400);
ends("an escape in a value", "RFC 9110 5.5", get("X: \x1b[31m\r\n"), 400);
ends("DEL in a value", "RFC 9110 5.5", get("X: a\x7fb\r\n"), 400);
ends("a bare CR in a value", "RFC 9112 2.2", get("X: a\rb\r\n"), 400);
ends("a bare LF in a value", "RFC 9112 2.2", get("X: a\nY: b\r\n"), 400);
ends("a bare LF at the end of the fields", "RFC 9112 2.2", `${getLine}Host: x\r\nX: y\n\r\n`, 400);
ends("an empty line with a bare LF", "RFC 9112 2.2", `${getLine}Host: x\r\n\n`, 400);
ends("an empty line with a space", "RFC 9112 2.2", `${getLine}Host: x\r\n \r\n\r\n`, 400);
ends("two CR at the end of a field", "RFC 9112 2.2", get("X: y\r\r\n"), 400);
ends("CR LF the wrong way round", "RFC 9112 2.2", get("X: y\n\r"), 400);
ends("a fold with a space", "RFC 9112 5.2", get("X: a\r\n b\r\n"), 400);
ends("a fold with a tab", "RFC 9112 5.2", get("X: a\r\n\tb\r\n"), 400);
goesOn("64 field lines", "RFC 6585 5", get("A: b\r\n".repeat(63)), 204);
ends("65 field lines", "RFC 6585 5", get("A: b\r\n".repeat(64)), 431);
ends("500 field lines", "RFC 6585 5", get("A: b\r\n".repeat(500)), 431);
goesOn("a head of 32 KiB", "RFC 6585 5", get(`X: ${"y".repeat(32_768 - get("X: \r\n").length)}\r\n`), 204);
ends("a head of a byte more", "RFC 6585 5", get(`X: ${"y".repeat(32_769 - get("X: \r\n").length)}\r\n`), 431);
ends("a field of 600 KB", "RFC 6585 5", get(`X: ${"y".repeat(600_000)}\r\n`), 431);

// Length.
ends(
  "Content-Length and Transfer-Encoding",
  "CL.TE, RFC 9112 6.1",
  post("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", chunks),
  400,
);
ends(
  "Transfer-Encoding and Content-Length",
  "TE.CL, RFC 9112 6.1",
  post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", chunks),
  400,
);
ends(
  "Transfer-Encoding and length 0",
  "TE.0, RFC 9112 6.1",
  post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", chunks),
  400,
);
ends("the same length twice", "RFC 9112 6.3 rule 5", length(" 2\r\nContent-Length: 2"), 400);
ends("two lengths", "CL.CL, RFC 9112 6.3 rule 5", length(" 2\r\nContent-Length: 3"), 400);
ends("a list of lengths", "RFC 9112 6.3 rule 5", length(" 2, 2"), 400);
ends("a length and a comma", "RFC 9112 6.3 rule 5", length(" 2,"), 400);
ends("a signed length", "RFC 9110 8.6", length(" +2"), 400);
ends("a negative length", "RFC 9110 8.6", length(" -2"), 400);
ends("a length in hex", "RFC 9110 8.6", length(" 0x2"), 400);
ends("a length with a point", "RFC 9110 8.6", length(" 2.0"), 400);
ends("a length with an exponent", "RFC 9110 8.6", length(" 2e0"), 400);
ends("a length with a space", "RFC 9110 8.6", length(" 2 2"), 400);
ends("a length with an underscore", "RFC 9110 8.6", length(" 0_2"), 400);
ends("a length in other digits", "RFC 9110 8.6", length(" \xd9\xa2"), 400);
ends("a length with a parameter", "RFC 9110 8.6", length(" 2;q=1"), 400);
ends("a length with NUL", "RFC 9110 5.5", length(" 2\0"), 400);
ends("an empty length", "RFC 9110 8.6", length(""), 400);
ends("a length beyond 64 bits", "RFC 9110 8.6", length(" 18446744073709551618"), 400);
ends("a length beyond 53 bits", "RFC 9110 8.6", length(" 9007199254740993"), 400);
ends("a space before the colon of the length", "RFC 9112 5.1", post("Content-Length : 2\r\n", "{}"), 400);
ends("a length of 15 digits", "RFC 9110 15.5.14", length(" 999999999999999"), 413);
ends("a length of a byte too much", "RFC 9110 15.5.14", length(` ${8 * 1024 * 1024 + 1}`), 413);
goesOn("a length with zeros in front", "RFC 9110 8.6", length(" 0002"), 204);
goesOn("a length with spaces around it", "RFC 9112 5.1", length("\t 2 \t"), 204);
goesOn("a length with an underscore for a dash", "RFC 9110 8.6", length(" 2\r\nContent_Length: 9"), 204);

// Transfer-Encoding.
goesOn("chunked in capitals", "RFC 9112 7", coding(" CHUNKED"), 204);
goesOn("chunked between spaces and tabs", "RFC 9112 5.1", coding("\t chunked \t"), 204);
goesOn("Transfer_Encoding is nothing", "TE.TE", post("Transfer_Encoding: chunked\r\nContent-Length: 2\r\n", "{}"), 204);
ends("a space before the colon", "TE.TE, RFC 9112 5.1", post("Transfer-Encoding : chunked\r\n", chunks), 400);
ends("a tab before the colon", "TE.TE, RFC 9112 5.1", post("Transfer-Encoding\t: chunked\r\n", chunks), 400);
ends("a fold before the coding", "TE.TE, RFC 9112 5.2", coding("\r\n chunked"), 400);
ends("a fold before the colon", "TE.TE, RFC 9112 5.2", post("Transfer-Encoding\r\n : chunked\r\n", chunks), 400);
ends("behind a bare LF", "TE.TE, RFC 9112 2.2", post("X: y\nTransfer-Encoding: chunked\r\n", chunks), 400);
ends("behind a bare CR", "TE.TE, RFC 9112 2.2", post("X: y\rTransfer-Encoding: chunked\r\n", chunks), 400);
ends("chunked behind a vertical tab", "TE.TE, RFC 9110 5.5", coding(" \x0bchunked"), 400);
ends("chunked before a vertical tab", "TE.TE, RFC 9110 5.5", coding(" chunked\x0b"), 400);
ends("chunked before a form feed", "TE.TE, RFC 9110 5.5", coding(" chunked\x0c"), 400);
ends("chunked before NUL", "TE.TE, RFC 9110 5.5", coding(" chunked\0"), 400);
ends("chunked before a hard space", "TE.TE", coding(" chunked\xa0"), 400);
ends("chunked behind a hard space", "TE.TE", coding("\xa0chunked"), 400);
ends("chunked with a letter before it", "TE.TE", coding(" xchunked"), 400);
ends("chunked with a letter behind it", "TE.TE", coding(" chunkedx"), 400);
ends("chunked in two words", "TE.TE", coding(" chunk ed"), 400);
ends("chunked in quotes", "TE.TE", coding(' "chunked"'), 400);
ends("chunked with a parameter", "RFC 9112 7", coding(" chunked;a=b"), 400);
ends("chunked before a comma", "TE.TE", coding(" chunked,"), 400);
ends("chunked behind a comma", "TE.TE", coding(" ,chunked"), 501);
ends("an empty coding", "TE.TE", coding(""), 400);
ends("identity", "RFC 9112 6.3 rule 4", coding(" identity"), 400);
ends("gzip", "RFC 9112 6.3 rule 4", coding(" gzip"), 400);
ends("chunked, identity", "TE.TE, RFC 9112 6.3 rule 4", coding(" chunked, identity"), 400);
ends("chunked, gzip", "RFC 9112 6.3 rule 4", coding(" chunked, gzip"), 400);
ends("chunked twice", "RFC 9112 6.1", coding(" chunked, chunked"), 400);
ends("identity, chunked", "RFC 9112 6.1", coding(" identity, chunked"), 501);
ends("gzip, chunked", "RFC 9112 6.1", coding(" gzip, chunked"), 501);
ends("chunked in one line, identity in another", "TE.TE", coding(" chunked\r\nTransfer-Encoding: identity"), 400);
ends("identity in one line, chunked in another", "TE.TE", coding(" identity\r\nTransfer-Encoding: chunked"), 501);
ends("chunked in two lines", "TE.TE, RFC 9112 6.1", coding(" chunked\r\ntransfer-encoding: chunked"), 400);
ends("chunked in one line, garbage in another", "TE.TE", coding(" chunked\r\nTransfer-encoding: cow"), 400);

// Chunks.
goesOn("two chunks", "RFC 9112 7.1", chunked("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), 204);
goesOn("a size with zeros in front", "RFC 9112 7.1", chunked("00000002\r\n{}\r\n00\r\n\r\n"), 204);
goesOn("a size in capitals", "RFC 9112 7.1", chunked('A\r\n{"data":1}\r\n0\r\n\r\n'), 204);
goesOn("no chunk but the last", "RFC 9112 7.1", chunked("0\r\n\r\n"), 400);
goesOn("an extension", "RFC 9112 7.1.1", chunked("2;a=b\r\n{}\r\n0;c\r\n\r\n"), 204);
goesOn("an extension in quotes", "RFC 9112 7.1.1", chunked('2;a="b;\tc"\r\n{}\r\n0\r\n\r\n'), 204);
goesOn("an extension of 256 bytes", "RFC 9112 7.1.1", chunked(`2;${"a".repeat(255)}\r\n{}\r\n0\r\n\r\n`), 204);
ends("an extension of a byte more", "RFC 9112 7.1.1", chunked(`2;${"a".repeat(256)}\r\n{}\r\n0\r\n\r\n`), 400);
ends("an extension with a bare LF", "TERM.EXT", chunked("2;a\nb\r\n{}\r\n0\r\n\r\n"), 400);
ends("an extension with LF in quotes", "TERM.EXT", chunked('2;a="\n"\r\n{}\r\n0\r\n\r\n'), 400);
ends("an extension that ends with a bare LF", "EXT.TERM", chunked("2;\n{}\r\n0\r\n\r\n"), 400);
ends("an extension with a bare CR", "EXT.TERM", chunked("2;a\rb\r\n{}\r\n0\r\n\r\n"), 400);
ends("an extension with NUL", "RFC 9112 7.1.1", chunked("2;\0\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size of 9 digits", "RFC 9112 7.1", chunked("000000002\r\n{}\r\n0\r\n\r\n"), 400);
ends("a last size of 9 digits", "RFC 9112 7.1", chunked("2\r\n{}\r\n000000000\r\n\r\n"), 400);
ends("a size beyond 32 bits", "RFC 9112 7.1", chunked("100000002\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size beyond 64 bits", "RFC 9112 7.1", chunked("10000000000000002\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size of 4 GiB", "RFC 9110 15.5.14", chunked("ffffffff\r\n{}"), 413);
ends("a size of hex with a prefix", "RFC 9112 7.1", chunked("0x2\r\n{}\r\n0\r\n\r\n"), 400);
ends("a signed size", "RFC 9112 7.1", chunked("+2\r\n{}\r\n0\r\n\r\n"), 400);
ends("a negative size", "RFC 9112 7.1", chunked("-2\r\n{}\r\n0\r\n\r\n"), 400);
ends("a space before the size", "RFC 9112 7.1", chunked(" 2\r\n{}\r\n0\r\n\r\n"), 400);
ends("a space behind the size", "RFC 9112 7.1", chunked("2 \r\n{}\r\n0\r\n\r\n"), 400);
ends("no size", "RFC 9112 7.1", chunked("\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size that is no number", "RFC 9112 7.1", chunked("zz\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size with NUL", "RFC 9112 7.1", chunked("2\0\r\n{}\r\n0\r\n\r\n"), 400);
ends("a size that ends with a bare LF", "RFC 9112 2.2", chunked("2\n{}\r\n0\r\n\r\n"), 400);
ends("a size that ends with a bare CR", "RFC 9112 2.2", chunked("2\r{}\r\n0\r\n\r\n"), 400);
ends("a size that ends with two CR", "RFC 9112 2.2", chunked("2\r\r\n{}\r\n0\r\n\r\n"), 400);
ends("a chunk longer than it says", "RFC 9112 7.1", chunked("2\r\n{}XX0\r\n\r\n"), 400);
ends("a chunk shorter than it says", "RFC 9112 7.1", chunked("3\r\n{}\r\n0\r\n\r\n"), 400);
ends("a chunk that ends with a bare LF", "RFC 9112 7.1", chunked("2\r\n{}\n0\r\n\r\n"), 400);
ends("a chunk that ends with a bare CR", "RFC 9112 7.1", chunked("2\r\n{}\r0\r\n\r\n"), 400);
ends("a chunk that ends with two bytes of anything", "SPILL.TERM", chunked("2\r\n{}xx0\r\n\r\n"), 400);
ends("a chunk that ends with nothing", "RFC 9112 7.1", chunked("2\r\n{}0\r\n\r\n"), 400);
goesOn("a trailer", "RFC 9112 7.1.2", chunked("2\r\n{}\r\n0\r\nX: y\r\nZ:\r\n\r\n"), 204);
goesOn(
  "a trailer that would frame",
  "RFC 9110 6.5.1",
  chunked("2\r\n{}\r\n0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\nHost: y\r\n\r\n"),
  204,
);
ends("a request for a trailer", "TE.0", chunked(`2\r\n{}\r\n0\r\n${smuggled}`), 400);
ends("a trailer without a colon", "RFC 9112 5", chunked("2\r\n{}\r\n0\r\nX\r\n\r\n"), 400);
ends("a trailer without a name", "RFC 9112 5", chunked("2\r\n{}\r\n0\r\n: y\r\n\r\n"), 400);
ends("a trailer with a space before the colon", "RFC 9112 5.1", chunked("2\r\n{}\r\n0\r\nX : y\r\n\r\n"), 400);
ends("a folded trailer", "RFC 9112 5.2", chunked("2\r\n{}\r\n0\r\nX: y\r\n z\r\n\r\n"), 400);
ends("a trailer with a bare LF", "RFC 9112 2.2", chunked("2\r\n{}\r\n0\r\nX: y\n\r\n"), 400);
ends("a trailer with a bare CR", "RFC 9112 2.2", chunked("2\r\n{}\r\n0\r\nX: y\rz\r\n\r\n"), 400);
ends("a trailer with NUL", "RFC 9110 5.5", chunked("2\r\n{}\r\n0\r\nX: \0\r\n\r\n"), 400);
ends("a trailer of 9 KB", "RFC 6585 5", chunked(`2\r\n{}\r\n0\r\nX: ${"y".repeat(9000)}\r\n\r\n`), 400);
ends("a last line with a bare LF", "RFC 9112 7.1", chunked("2\r\n{}\r\n0\r\n\n"), 400);
ends("a last line with a bare CR", "RFC 9112 7.1", chunked("2\r\n{}\r\n0\r\n\r"), 400);
ends("chunks behind the last", "RFC 9112 7.1", chunked("0\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), 400, 400);

// Expect.
const expecting = (value: string): string => post(`Content-Length: 2\r\nExpect:${value}\r\n`, "{}");
goesOn("100-continue", "RFC 9110 10.1.1", expecting(" 100-continue"), 100, 204);
goesOn("100-continue in capitals", "RFC 9110 10.1.1", expecting(" 100-Continue"), 100, 204);
goesOn(
  "100-continue with chunks",
  "RFC 9110 10.1.1",
  post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", chunks),
  100,
  204,
);
goesOn("100-continue without a body", "RFC 9110 10.1.1", get("Expect: 100-continue\r\n"), 204);
goesOn("100-continue with length 0", "RFC 9110 10.1.1", get("Expect: 100-continue\r\nContent-Length: 0\r\n"), 204);
ends(
  "100-continue for a body that is too large",
  "RFC 9110 10.1.1",
  post("Content-Length: 99999999\r\nExpect: 100-continue\r\n", ""),
  413,
);
ends(
  "100-continue for a body that nobody wants",
  "RFC 9110 10.1.1",
  expecting(" 100-continue").replace("/log", "/no"),
  404,
);
ends("another expectation", "RFC 9110 15.5.18", expecting(" 200-ok"), 417);
ends("two expectations", "RFC 9110 15.5.18", expecting(" 100-continue, 200-ok"), 417);
ends("two lines of expectations", "RFC 9110 15.5.18", expecting(" 100-continue\r\nExpect: 100-continue"), 417);
ends("an empty expectation", "RFC 9110 15.5.18", expecting(""), 417);

// Connection.
ends("close", "RFC 9112 9.6", get("Connection: close\r\n"), 204);
ends("close in capitals", "RFC 9112 9.6", get("Connection: CLOSE\r\n"), 204);
ends("close among others", "RFC 9110 7.6.1", get("Connection: x ,\tclose , y\r\n"), 204);
ends("close behind keep-alive", "RFC 9112 9.3", get("Connection: keep-alive\r\nConnection: close\r\n"), 204);
goesOn("keep-alive", "RFC 9112 9.3", get("Connection: keep-alive\r\n"), 204);
goesOn("a word that begins with close", "RFC 9110 7.6.1", get("Connection: closed, not-close\r\n"), 204);
goesOn("garbage as an option", "RFC 9110 7.6.1", get('Connection: ,;"\xff\r\n'), 204);
goesOn("an empty option", "RFC 9110 7.6.1", get("Connection:\r\n"), 204);
goesOn(
  "an upgrade to HTTP/2",
  "h2c smuggling",
  get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
  204,
);
goesOn("an upgrade to WebSocket", "RFC 9110 7.8", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 204);

// Pipelines.
goesOn("three requests at once", "RFC 9112 9.3.2", get("").repeat(3), 204, 204, 204);
goesOn("a hundred requests at once", "RFC 9112 9.3.2", get("").repeat(100), ...Array<number>(100).fill(204));
goesOn(
  "requests with and without bodies",
  "RFC 9112 9.3.2",
  length(" 2") + get("") + chunked(chunks) + start("HEAD / HTTP/1.1"),
  204,
  204,
  204,
  200,
);
goesOn("an empty line behind a body", "RFC 9112 2.2", `${length(" 2")}\r\n${get("")}`, 204, 204);
ends("a bad request behind a good one", "RFC 9112 9.3.2", get("") + get("X : y\r\n") + smuggled, 204, 400);
ends("a body longer than it says", "CL desync", length(" 2") + "}}", 204, 400);
ends("the last request before others", "RFC 9112 9.6", get("") + get("Connection: close\r\n") + smuggled, 204, 204);
