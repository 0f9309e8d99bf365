import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import fc from "fast-check";
import { networkOf, plainAddress } from "../../src/ingest/ip.ts";

Deno.test("M1.3 the network of an address", () => {
  const table: [string, number, number, string][] = [
    ["192.0.2.77", 24, 48, "192.0.2.0"],
    ["192.0.2.77", 32, 48, "192.0.2.77"],
    ["192.0.2.77", 20, 48, "192.0.0.0"],
    ["255.255.255.255", 0, 48, "0.0.0.0"],
    ["2001:db8:1:2:3:4:5:6", 24, 48, "2001:db8:1::"],
    ["2001:db8:1:2:3:4:5:6", 24, 64, "2001:db8:1:2::"],
    ["2001:DB8::1", 24, 128, "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", 24, 128, "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:0:1:0:1", 24, 128, "2001:db8:0:1:0:1:0:1"],
    ["10:20:0:0:0:0:30:1", 24, 128, "10:20::30:1"],
    ["0:0:1::", 24, 128, "0:0:1::"],
    ["::", 24, 48, "::"],
    ["::1", 24, 48, "::"],
    ["fe80::1%eth0", 24, 128, "fe80::1"],
    ["::ffff:192.0.2.1", 24, 128, "::ffff:c000:201"],
    ["64:ff9b::192.0.2.1", 24, 128, "64:ff9b::c000:201"],
    ["unknown", 24, 48, "unknown"],
  ];
  for (const [address, v4, v6, network] of table) assert.equal(networkOf(address, { v4, v6 }), network, address);
  assert.equal(plainAddress("::ffff:192.0.2.1"), "192.0.2.1");
});

Deno.test("M1.3 one IPv6 address, however it is written, is one text, which a browser would write the same", () => {
  const whole = { v4: 32, v6: 128 };
  fc.assert(fc.property(fc.ipV6(), (address) => {
    const text = networkOf(address, whole);
    assert.ok(isIPv6(text), text);
    assert.equal(new URL(`http://[${address}]/`).hostname, `[${text}]`);
    assert.equal(networkOf(text, whole), text);
  }));
});
