/** Certificates for tests: a CA of its own, and what it signs for localhost and 127.0.0.1. Made by OpenSSL, or not at all. */

export interface Certificates {
  /** PEM files. */
  readonly ca: string;
  readonly server: Pair;
  readonly client: Pair;
  /** Of the server, but not valid any more. */
  readonly expired: Pair;
  readonly dir: string;
}
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** In a directory that the caller removes. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const subject = (name: string) => ["-subj", `/CN=${name}`];
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await Deno.writeTextFile(`${dir}/san`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  await openssl(dir, ["req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", ...subject("test CA")]);
  const sign = async (name: string, validity: readonly string[] = []) => {
    await openssl(dir, ["req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, ...subject(name)]);
    const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", ...validity];
    await openssl(dir, ["x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signer]);
    return { cert: `${dir}/${name}.pem`, key: `${dir}/${name}.key` };
  };
  const server = await sign("server");
  const client = await sign("client");
  return { ca: `${dir}/ca.pem`, server, client, expired: await sign("expired", ["-days", "-1"]), dir };
}

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", { args: [...args], cwd, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
