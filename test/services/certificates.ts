/** Certificates for tests: a CA of its own, and what it signs for localhost, names below faults.test, and 127.0.0.1. Made by OpenSSL, or not at all. */

export interface Certificates {
  /** PEM files. */
  readonly ca: string;
  readonly server: Pair;
  readonly client: Pair;
  /** Of the server, but not valid any more. */
  readonly expired: Pair;
  /** Of a server that is called otherwise. */
  readonly elsewhere: Pair;
  readonly dir: string;
  /** Of the server, valid until then and not a second longer. */
  until(time: Date): Promise<Pair>;
}
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** " (needs openssl)", or "" when it is here. */
export function missing(): string {
  const { success } = new Deno.Command("sh", { args: ["-c", "command -v openssl"], stdout: "null" }).outputSync();
  return success ? "" : " (needs openssl)";
}

/** In a directory that the caller removes. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const subject = (name: string) => ["-subj", `/CN=${name}`];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await Deno.writeTextFile(`${dir}/san`, "subjectAltName=DNS:localhost,DNS:*.faults.test,IP:127.0.0.1\n");
  await Deno.writeTextFile(`${dir}/elsewhere.san`, "subjectAltName=DNS:elsewhere.test\n");
  await openssl(dir, ["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", ...subject("test CA")]);
  const request = async (name: string) => {
    await openssl(dir, ["req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...subject(name)]);
    return { cert: `${dir}/${name}.pem`, key: `${dir}/${name}.key` };
  };
  const sign = async (name: string, more: readonly string[] = [], names = "san") => {
    const pair = await request(name);
    const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", names, ...more];
    await openssl(dir, ["x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signer]);
    return pair;
  };
  let brief = 0;
  return {
    ca: `${dir}/ca.pem`,
    server: await sign("server"),
    client: await sign("client"),
    expired: await sign("expired", ["-days", "-1"]),
    elsewhere: await sign("elsewhere", [], "elsewhere.san"),
    dir,
    async until(time) {
      const name = `brief-${brief++}`;
      const pair = await request(name);
      await Deno.writeTextFile(`${dir}/${name}.index`, "");
      await Deno.writeTextFile(`${dir}/${name}.conf`, register(name));
      // Only this command takes an end to the second.
      const ca = ["-batch", "-notext", "-config", `${name}.conf`, "-cert", "ca.pem", "-keyfile", "ca.key"];
      const ends = time.toISOString().replace(/[-:T]|\.\d+/g, "");
      await openssl(dir, [
        "ca",
        ...ca,
        "-in",
        `${name}.csr`,
        "-out",
        `${name}.pem`,
        "-extfile",
        "san",
        "-enddate",
        ends,
      ]);
      return pair;
    },
  };
}

function register(name: string): string {
  return `[ca]\ndefault_ca = it\n[it]\ndatabase = ${name}.index\nnew_certs_dir = .\nrand_serial = yes\n` +
    "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n";
}

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args], cwd, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
