import assert from "node:assert/strict";
import { formatEndpoint, parseEndpoint, staysHere } from "../../src/config/endpoint.ts";

Deno.test("endpoints are addresses with or without tcp://, or ipc:// and a path", () => {
  const tcp = { kind: "tcp", host: "127.0.0.1", port: 7000 };
  assert.deepEqual(parseEndpoint("127.0.0.1:7000"), tcp);
  assert.deepEqual(parseEndpoint("tcp://127.0.0.1:7000"), tcp);
  assert.deepEqual(parseEndpoint("tcp://*:7000"), { ...tcp, host: "0.0.0.0" });
  assert.deepEqual(parseEndpoint("ipc:///run/in.sock"), { kind: "ipc", path: "/run/in.sock" });
  for (
    const wrong of ["", "7000", "udp://a:1", "ipc://", `ipc:///${"x".repeat(107)}`, "tcp://", "a:70000", "ipc:///a\0b"]
  ) {
    assert.equal(parseEndpoint(wrong), undefined, wrong);
  }
});

Deno.test("what is written back is what was read, and loopback and ipc stay on this machine", () => {
  for (const text of ["127.0.0.1:7000", "[::1]:7000", "ipc:///run/in.sock"]) {
    assert.equal(formatEndpoint(parseEndpoint(text)!), text);
    assert.ok(staysHere(parseEndpoint(text)!));
  }
  assert.ok(!staysHere(parseEndpoint("*:7000")!));
  assert.ok(!staysHere(parseEndpoint("example.com:7000")!));
});
