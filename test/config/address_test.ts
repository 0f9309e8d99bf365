import assert from "node:assert/strict";
import { formatAddress, isAddressOrNetwork, isLoopback, parseAddress } from "../../src/config/address.ts";

Deno.test("an address is host and port, IPv6 in brackets", () => {
  assert.deepEqual(parseAddress("127.0.0.1:8080"), { host: "127.0.0.1", port: 8080 });
  assert.deepEqual(parseAddress("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseAddress("collector-1.example.com:80"), { host: "collector-1.example.com", port: 80 });
});

Deno.test("what lacks a host or a port, or is out of range, is no address", () => {
  const wrong = ["", "8080", ":8080", "*:8080", "127.0.0.1", "::1:80", "[::1]", "[1.2.3.4]:80", "[::g]:80"];
  const out = ["1.2.3.256:80", "1.2.3:80", "a:65536", "a:", "-a:80", "a b:80", "http://a:80", "a:80/"];
  for (const text of [...wrong, ...out]) assert.equal(parseAddress(text), undefined, text);
});

Deno.test("an address is written as it is read", () => {
  for (const text of ["127.0.0.1:8080", "[::1]:0", "a.b:1"]) assert.equal(formatAddress(parseAddress(text)!), text);
});

Deno.test("loopback is what only this machine can reach", () => {
  for (const host of ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"]) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.evil.com", "localhost.evil.com", "1270.0.0.1"]) {
    assert.ok(!isLoopback(host), host);
  }
});

Deno.test("a proxy is an address or an IPv4 network", () => {
  for (const text of ["10.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "::1"]) {
    assert.ok(isAddressOrNetwork(text), text);
  }
  for (const text of ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.0.0.0/8/8", "host", "fe80::/10"]) {
    assert.ok(!isAddressOrNetwork(text), text);
  }
});
