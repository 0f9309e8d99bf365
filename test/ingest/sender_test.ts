import assert from "node:assert";
import { openSender, proxyTest, type SenderSettings } from "../../src/ingest/sender.ts";
import { bitOf } from "../../src/ingest/fields.ts";
import { fieldLengthMax, type Fields, type Message } from "../../src/message/message.ts";
import { decodeEntry, EntryWriter } from "../../src/message/wire.ts";
import { arrival, request } from "./fakes.ts";

function fill(
  headers: Record<string, string>,
  settings: Partial<SenderSettings> = {},
  peer = "192.0.2.7",
  own: (keyof Fields)[] = [],
): Fields {
  const entry = new EntryWriter();
  entry.begin({ timestamp: arrival });
  const seen = own.reduce((bits, field) => bits | bitOf(field), 0);
  openSender({ trusted_proxies: [], cookies: [], ...settings })(entry, seen, request("/log", { headers, peer }));
  entry.open();
  entry.shut();
  const [{ timestamp: _, data: __, dataIsJson: ___, ...fields }] = decodeEntry(entry.bytes()) as [Message];
  return fields;
}

Deno.test("M1.3 fields come from the request where the message has none", () => {
  const headers = { "user-agent": "curl/8", "referer": "http://a/", "cookie": "a=b" };
  assert.deepEqual(fill(headers), { peerIp: "192.0.2.7", ip: "192.0.2.7", referrer: "http://a/", userAgent: "curl/8" });
  const own = fill(headers, { cookies: ["*"] }, "192.0.2.7", ["ip", "referrer", "userAgent", "cookies"]);
  assert.deepEqual(own, { peerIp: "192.0.2.7" });
  assert.deepEqual(fill({ "user-agent": "", "referer": "" }), { peerIp: "192.0.2.7", ip: "192.0.2.7" });
});

Deno.test("an IPv4 address stays one behind an IPv6 socket", () => {
  assert.equal(fill({}, {}, "::ffff:192.0.2.9").ip, "192.0.2.9");
  assert.equal(fill({}, {}, "2001:db8::1").ip, "2001:db8::1");
});

Deno.test("X-Forwarded-For is believed from our proxies only", () => {
  const proxies = ["10.0.0.0/8", "192.168.1.1", "fd00::/8"];
  const table: [string, string, string][] = [
    ["192.0.2.7", "1.2.3.4", "192.0.2.7"],
    ["10.1.1.1", "1.2.3.4", "1.2.3.4"],
    ["::ffff:10.1.1.1", "1.2.3.4", "1.2.3.4"],
    ["fd12::1", "2001:db8::5", "2001:db8::5"],
    ["10.1.1.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"],
    ["10.1.1.1", "6.6.6.6, 1.2.3.4, 192.168.1.1", "1.2.3.4"],
    ["10.1.1.1", "10.2.2.2, 10.3.3.3", "10.2.2.2"],
    ["10.1.1.1", "1.2.3.4:5678", "1.2.3.4"],
    ["10.1.1.1", "[2001:db8::5]:443", "2001:db8::5"],
    ["10.1.1.1", "1.2.3.4, unknown", "10.1.1.1"],
    ["10.1.1.1", "1.2.3.4, 10.2.2.2, <script>", "10.1.1.1"],
    ["10.1.1.1", "", "10.1.1.1"],
    ["10.1.1.1", ",,", "10.1.1.1"],
    ["192.168.1.2", "1.2.3.4", "192.168.1.2"],
  ];
  for (const [peer, forwarded, wanted] of table) {
    const fields = fill({ "x-forwarded-for": forwarded }, { trusted_proxies: proxies }, peer);
    assert.deepEqual([fields.ip, fields.peerIp], [wanted, wanted], `${peer} ${forwarded}`);
  }
  assert.equal(fill({ "x-forwarded-for": "1.2.3.4" }, {}, "10.1.1.1").ip, "10.1.1.1");
});

Deno.test("a proxy that is no address is refused at the start", () => {
  for (const bad of ["", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "fd00::/129", "10.0.0/8", "1.2.3.4/-1"]) {
    assert.throws(() => proxyTest([bad]), /trusted_proxies/, bad);
  }
});

Deno.test("cookies are kept by name, in their order, and none by default", () => {
  const header = 'a=1; user_id="x; session=secret;b = 2 ;a=3;=4;flag; __proto__=p; e=é';
  const cookie = new TextEncoder().encode(header).reduce((text, byte) => text + String.fromCharCode(byte), "");
  assert.equal(fill({ cookie }).cookies, undefined);
  assert.equal(fill({ cookie }, { cookies: ["none"] }).cookies, undefined);
  assert.equal(fill({ cookie }, { cookies: ["b", "user_id"] }).cookies, '{"user_id":"\\"x","b":"2"}');
  assert.equal(
    fill({ cookie }, { cookies: ["*"] }).cookies,
    '{"a":"1","user_id":"\\"x","session":"secret","b":"2","__proto__":"p","e":"é"}',
  );
});

Deno.test("headers are read as UTF-8 where they are, and cut where a field ends", () => {
  assert.equal(fill({ "user-agent": "\xc3\xa9" }).userAgent, "é");
  assert.equal(fill({ "user-agent": "\xe9" }).userAgent, "é");
  assert.equal(fill({ referer: "r".repeat(10_000) }).referrer!.length, fieldLengthMax);
  assert.equal(fill({ cookie: `a=${"x".repeat(9000)}; b=1` }, { cookies: ["*"] }).cookies, '{"b":"1"}');
});
