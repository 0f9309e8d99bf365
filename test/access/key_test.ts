import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import fc from "fast-check";
import {
  isKey,
  keyInHeader,
  type KeyWish,
  mayAdminister,
  mayRead,
  newKey,
  readShown,
  writableTopics,
} from "../../src/access/key.ts";
import { make } from "./keys.ts";

const mint = { random: randomBytes, now: 1 };

Deno.test("M1.10 of a secret key only its digest is kept", () => {
  const { key, shown } = newKey({ name: "shop", scopes: ["write"] }, mint);
  const [, id, secret] = shown.split("_");
  assert.match(shown, /^sng_[0-9a-f]{12}_[0-9a-f]{64}$/);
  assert.equal(key.id, id);
  assert.ok(!JSON.stringify(key).includes(secret!));
  assert.notEqual(newKey({ name: "shop", scopes: ["write"] }, mint).shown, shown);
});

Deno.test("M1.10 a key opens to who has all of it, and to nobody else", () => {
  const { key, shown } = make();
  assert.ok(isKey(key, readShown(shown)!));
  fc.assert(fc.property(fc.nat(shown.length - 1), fc.constantFrom(..."0123456789abcdef"), (at, letter) => {
    const other = shown.slice(0, at) + letter + shown.slice(at + 1);
    const read = readShown(other);
    if (read !== undefined && read.id === key.id) assert.equal(isKey(key, read), other === shown);
  }));
  assert.ok(!isKey(undefined, readShown(shown)!));
  for (const text of ["", shown.slice(0, -1), `${shown}0`, ` ${shown}`, key.id, shown.toUpperCase(), "sng__"]) {
    assert.equal(readShown(text), undefined, text);
  }
});

Deno.test("M1.10 a pixel key is its id; a secret key is not opened by its id, nor a pixel key by a secret", () => {
  const pixel = make({ pixel: true, scopes: ["write:web.*"] });
  assert.equal(pixel.shown, pixel.key.id);
  assert.ok(isKey(pixel.key, readShown(pixel.shown)!));
  const secret = make();
  assert.ok(!isKey(secret.key, { id: secret.key.id }));
  assert.ok(!isKey(pixel.key, { id: pixel.key.id, secret: "0".repeat(64) }));
});

Deno.test("M1.10 a scope is what a key may do, and no more", () => {
  const may = (...scopes: string[]) => {
    const { key } = make({ scopes });
    const writes = writableTopics(key);
    return [writes?.("web.shop") ?? false, writes?.("app") ?? false, mayRead(key), mayAdminister(key)];
  };
  assert.deepEqual(may("write"), [true, true, false, false]);
  assert.deepEqual(may("write:web.*"), [true, false, false, false]);
  assert.deepEqual(may("write:web.shop", "write:app"), [true, true, false, false]);
  assert.deepEqual(may("write:web"), [false, false, false, false]);
  assert.deepEqual(may("read"), [false, false, true, false]);
  assert.deepEqual(may("admin"), [false, false, true, true]);
  assert.deepEqual(may("read", "write:app"), [false, true, true, false]);
});

Deno.test("M1.10 a wish that makes no sense says what is wrong", () => {
  const refused: [Partial<KeyWish>, RegExp][] = [
    [{ name: "" }, /name "" is not 1 to 64/],
    [{ name: "a\u001b[31m" }, /is not 1 to 64/],
    [{ scopes: [] }, /there is no scope: give it write/],
    [{ scopes: ["wriet"] }, /no scope "wriet": there are write, write:TOPICS, read and admin/],
    [{ scopes: ["write:"] }, /no scope "write:"/],
    [{ scopes: ["write:a/b"] }, /no scope "write:a\/b"/],
    [{ ack: ["always"] }, /no acknowledgement "always": there are memory, disk, delivered/],
    [{ rate: "100" }, /the rate "100" is not written like "100\/s"/],
    [{ rate: "0/s" }, /"0\/s"/],
    [{ rate: "100/m" }, /"100\/m"/],
    [{ quota: "1e6/day" }, /the quota "1e6\/day" is not written like "100000\/day"/],
    [{ pixel: true }, /everybody can see a pixel key/],
    [{ pixel: true, scopes: ["write:web.*", "read"] }, /may only write, and to topics it names/],
    [{ pixel: true, scopes: ["write:web.*"], ack: ["delivered"] }, /cannot ask for acknowledgements/],
  ];
  for (const [wish, reason] of refused) {
    assert.throws(() => make(wish), (problem: Error) => problem instanceof TypeError && reason.test(problem.message));
  }
});

Deno.test("M1.10 a key comes as a bearer token, or as the password of Basic", () => {
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;
  const table: [string, string | undefined][] = [
    ["Bearer abc", "abc"],
    ["bearer  abc ", "abc"],
    ["Bearer sng_0_1", "sng_0_1"],
    [basic("anybody:abc"), "abc"],
    [basic(":abc"), "abc"],
    [basic("a:b:c"), "b:c"],
    [basic("abc"), undefined],
    ["Bearer", undefined],
    ["Bearer a b", undefined],
    ["Bearer a, Bearer b", undefined],
    ["Digest abc", undefined],
    ["abc", undefined],
    ["", undefined],
  ];
  for (const [header, key] of table) assert.equal(keyInHeader(header), key, header);
});
