/** TLS on the intake's address, spoken by curl: certificates that change, clients that must show one, and those that never shake hands. */
import assert from "node:assert";
import { makeTempDir, runCommand, startNode, TempDir } from "./node.ts";
import { eventually } from "./waiting.ts";

const tools = ["curl", "openssl"];
const missing = tools.filter((tool) =>
  !new Deno.Command("sh", { args: ["-c", 'command -v "$0"', tool], stdout: "null" }).outputSync().success
);
const needs = missing.length === 0 ? "" : ` (needs ${missing.join(", ")})`;

function fact(name: string, run: () => Promise<void>): void {
  Deno.test({ name: name + needs, ignore: missing.length > 0, fn: run });
}

/** A place for certificates. */
class Authority extends TempDir {
  static async make(): Promise<Authority> {
    return new Authority((await makeTempDir()).path);
  }
  /** `NAME.crt` and `NAME.key`, which vouch for themselves. */
  async certify(name: string, file = name): Promise<void> {
    const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
    await this.openssl([
      "req",
      "-x509",
      ...newKey,
      "-keyout",
      `${file}.key`,
      "-out",
      `${file}.crt`,
      ...subject(name),
      ...names,
    ]);
  }
  /** `NAME.crt` and `NAME.key` of a client that `authority` vouches for. */
  async certifyClient(name: string, authority: string): Promise<void> {
    await Deno.writeTextFile(`${this.path}/client.ext`, "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n");
    await this.openssl(["req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...subject(name)]);
    const signer = [
      "-CA",
      `${authority}.crt`,
      "-CAkey",
      `${authority}.key`,
      "-CAcreateserial",
      "-extfile",
      "client.ext",
    ];
    await this.openssl(["x509", "-req", "-in", `${name}.csr`, ...signer, "-out", `${name}.crt`]);
  }
  async openssl(args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: this.path }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const subject = (name: string) => ["-subj", `/CN=${name}`];

interface Heard {
  readonly status: string;
  /** Everything curl said, the certificate included. */
  readonly said: string;
}

async function curl(...args: string[]): Promise<Heard> {
  const all = ["-sSv", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}", ...args];
  const { stdout, stderr } = await new Deno.Command("curl", { args: all }).output();
  return { status: new TextDecoder().decode(stdout), said: new TextDecoder().decode(stderr) };
}

function configFor(dir: string, more = ""): string {
  return `[http]\ntls_cert = "${dir}/server.crt"\ntls_key = "${dir}/server.key"\n${more}`;
}

fact(
  "M1.10: messages are taken over TLS; a new certificate is served without a restart, a broken one is not",
  async () => {
    await using authority = await Authority.make();
    const dir = authority.path;
    await authority.certify("first", "server");
    await using node = await startNode({ config: configFor(dir) });
    const url = `https://${node.http}/log?topic=t&n=1`;
    const first = await curl("--cacert", `${dir}/server.crt`, url);
    assert.equal(first.status, "204", first.said);
    assert.match(first.said, /CN=first/);
    await Deno.writeTextFile(`${dir}/server.key`, "nonsense");
    await eventually("a word about the broken key", () => node.stderr().includes("it is no PEM file"));
    assert.match((await curl("-k", url)).said, /CN=first/);
    await authority.certify("second", "server");
    await eventually("the second certificate", async () => (await curl("-k", url)).said.includes("CN=second"));
    await Deno.writeTextFile(`${dir}/body`, `{"topic":"t","data":"${"x".repeat(500_000)}"}`);
    const whole = await curl("-k", "--data-binary", `@${dir}/body`, `https://${node.http}/log`);
    assert.equal(whole.status, "204", whole.said);
    assert.notEqual((await curl(`http://${node.http}/log?topic=t`)).status, "204");
    assert.equal(await node.stop(), 0, node.stderr());
    const [out] = (await Deno.readTextFile(`${node.dir}/data/out/t/${await onlyFile(`${node.dir}/data/out/t`)}`)).split(
      "\n",
    );
    assert.match(out!, /"n":"1"/);
  },
);

/** Its path below `dir`. */
async function onlyFile(dir: string): Promise<string> {
  for await (const day of Deno.readDir(dir)) {
    for await (const file of Deno.readDir(`${dir}/${day.name}`)) return `${day.name}/${file.name}`;
  }
  throw new Error(`There is no file in ${dir}`);
}

fact("M1.10: with tls_client_ca only clients with a certificate of that authority get in", async () => {
  await using authority = await Authority.make();
  const dir = authority.path;
  await authority.certify("server");
  await authority.certify("ours");
  await authority.certify("theirs");
  await authority.certifyClient("good", "ours");
  await authority.certifyClient("bad", "theirs");
  await using node = await startNode({ config: configFor(dir, `tls_client_ca = "${dir}/ours.crt"\n`) });
  const url = `https://${node.http}/log?topic=t`;
  const as = (name: string) => curl("-k", "--cert", `${dir}/${name}.crt`, "--key", `${dir}/${name}.key`, url);
  assert.equal((await as("good")).status, "204");
  for (const { status, said } of [await as("bad"), await curl("-k", url)]) assert.equal(status, "000", said);
  assert.equal((await as("good")).status, "204");
});

fact("P4: who never shakes hands is closed, and others get in meanwhile", async () => {
  await using authority = await Authority.make();
  await authority.certify("server");
  await using node = await startNode({ config: configFor(authority.path) });
  const [hostname, port] = node.http.split(":") as [string, string];
  const silent = await Promise.all(Array.from({ length: 20 }, () => Deno.connect({ hostname, port: Number(port) })));
  await silent[0]!.write(new TextEncoder().encode("GET /log?topic=t HTTP/1.1\r\nHost: x\r\n\r\n"));
  assert.equal((await curl("-k", `https://${node.http}/log?topic=t`)).status, "204");
  const ends = silent.map(async (conn) => {
    while (await conn.read(new Uint8Array(100)).catch(() => null) !== null);
    conn.close();
  });
  await Promise.all(ends);
  assert.equal(await node.stop(), 0, node.stderr());
});

fact("M8.1: a certificate that cannot be used is refused at the start and by check, in one sentence", async () => {
  await using authority = await Authority.make();
  const dir = authority.path;
  await authority.certify("server");
  await authority.certify("other");
  const table: [string, RegExp][] = [
    [`tls_cert = "${dir}/server.crt"`, /tls_cert.* needs tls_key/],
    [`tls_client_ca = "${dir}/other.crt"`, /tls_client_ca.* needs tls_cert/],
    [`tls_cert = "${dir}/nowhere.crt"\ntls_key = "${dir}/server.key"`, /Cannot read http\.tls_cert/],
    [`tls_cert = "${dir}/server.ext"\ntls_key = "${dir}/server.key"`, /it is no PEM file/],
  ];
  await Deno.writeTextFile(`${dir}/server.ext`, "text");
  for (const [lines, complaint] of table) {
    for (const command of ["check", "run"]) {
      const { code, stderr } = await runCommand([command], {
        config: `[http]\nlisten = "127.0.0.1:0"\n${lines}\n[management]\nlisten = "127.0.0.1:0"\n`,
      });
      assert.deepEqual([code, stderr.split("\n").length <= 3], [78, true], stderr);
      assert.match(stderr, complaint);
    }
  }
});
