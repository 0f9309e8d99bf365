/** What is said of servers that cannot be reached or trusted. */
import assert from "node:assert/strict";
import { distrustOf, inWords, unverifiable } from "../../adaptors/reason.ts";
import { realWorld } from "../../src/os/deno.ts";
import { makeCertificates, missing } from "../services/certificates.ts";
import { startFront } from "../services/front.ts";
import { makeTempDir } from "../e2e/node.ts";

const lacks = missing();

Deno.test("what libraries say of names and certificates is said plainly", () => {
  const told = {
    "getaddrinfo ENOTFOUND a.example": "the name a.example does not resolve",
    "client error (Connect): dns error: failed to lookup address information: Name or service not known":
      "its name does not resolve",
    CERT_HAS_EXPIRED: "its certificate has expired",
    "client error (Connect): invalid peer certificate: certificate expired: verification time 1 (UNIX)":
      "its certificate has expired",
    "invalid peer certificate: UnknownIssuer": "its certificate is signed by nobody who is trusted here: set tls_ca",
    "read ECONNRESET": "read ECONNRESET",
  };
  for (const [text, words] of Object.entries(told)) assert.equal(inWords(text), words);
});

Deno.test({
  name: `a certificate that has expired is told from one that nobody has signed${lacks}`,
  ignore: lacks !== "",
  async fn() {
    await using dir = await makeTempDir();
    const certificates = await makeCertificates(dir.path);
    const past = await certificates.until(new Date(Date.now() - 1000));
    await using front = await startFront(1, past);
    const { clock } = realWorld();
    const ca = await Deno.readTextFile(certificates.ca);
    const server = { host: "127.0.0.1", port: front.port, name: "127.0.0.1", ca };
    const vague = new Error(unverifiable);
    assert.equal(await distrustOf(vague, () => server, clock), "its certificate has expired");
    const { ca: _, ...unknown } = server;
    await front.show(certificates.server);
    assert.match((await distrustOf(vague, () => unknown, clock))!, /nobody who is trusted/);
    assert.equal(await distrustOf(vague, () => server, clock), undefined);
    assert.equal(await distrustOf(new Error("read ECONNRESET"), () => server, clock), undefined);
    assert.equal(await distrustOf(vague, () => ({ ...server, port: 1 }), clock), undefined);
  },
});
