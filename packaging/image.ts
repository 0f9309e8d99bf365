/** An OCI image in one file, which `podman load`, `docker load` and `skopeo` take: the executable and what it needs, no more. */
import { baseFiles, baseVersions, fetchBase, text } from "./base.ts";
import { sha256 } from "./checksums.ts";
import { description, dist, license, type Release, type Target } from "./release.ts";
import { makeTar, type Packed, withParents } from "./tar.ts";
import { compressed } from "./tarball.ts";
import { dataDir, type Papers } from "./tree.ts";

/** Nobody of the host. */
const user = 65532;

export async function makeImage(
  release: Release,
  target: Target,
  executable: string,
  papers: Papers,
): Promise<string[]> {
  const base = await fetchBase(target.debian);
  if (base === undefined) {
    console.error(`The image for ${target.debian} is left out: there is no apt-get to fetch the C library with`);
    return [];
  }
  const layers = await Promise.all([
    makeLayer([
      ...await baseFiles(base),
      text(
        "etc/passwd",
        `root:x:0:0:root:/:/sbin/nologin\nsparkngin:x:${user}:${user}:Sparkngin:${dataDir}:/sbin/nologin\n`,
      ),
      text("etc/group", `root:x:0:\nsparkngin:x:${user}:\n`),
      { path: "tmp", mode: 0o1777 },
    ], release.epoch),
    makeLayer([
      { path: "usr/bin/sparkngin", bytes: await Deno.readFile(executable), mode: 0o755 },
      { path: dataDir.slice(1), mode: 0o750, owner: user },
      text("usr/share/doc/sparkngin/sbom.cdx.json", papers.sbom),
    ], release.epoch),
  ]);
  const config = json(configOf(release, target, layers, await baseVersions(base)));
  const path = `${dist}/sparkngin-${release.version}-image-${target.debian}.tar`;
  await Deno.writeFile(path, makeTar(withParents(archive(release, layers, config)), release.epoch));
  return [path];
}

interface Layer {
  readonly bytes: Uint8Array;
  /** Of the tarball inside. */
  readonly inner: string;
}

async function makeLayer(files: readonly Packed[], epoch: number): Promise<Layer> {
  const tar = makeTar(withParents(files), epoch);
  return { bytes: await compressed(tar, { level: 6 }), inner: digest(tar) };
}

function configOf(
  { version, epoch }: Release,
  target: Target,
  layers: readonly Layer[],
  base: string,
): Record<string, unknown> {
  const created = new Date(epoch * 1000).toISOString();
  return {
    created,
    architecture: target.debian,
    os: "linux",
    config: {
      User: `${user}:${user}`,
      ExposedPorts: { "8080/tcp": {} },
      // Beyond loopback it asks for a decision: SPARKNGIN_HTTP__KEYS=true or SPARKNGIN_HTTP__PUBLIC=true.
      Env: [
        "PATH=/usr/bin",
        `SPARKNGIN_DATA=${dataDir}`,
        "SPARKNGIN_HTTP__LISTEN=0.0.0.0:8080",
        // What a burst leaves of buffers goes back to the system.
        "MALLOC_MMAP_THRESHOLD_=131072",
      ],
      Entrypoint: ["/usr/bin/sparkngin"],
      Cmd: ["run"],
      WorkingDir: dataDir,
      Volumes: { [dataDir]: {} },
      StopSignal: "SIGTERM",
      Labels: {
        "org.opencontainers.image.title": "sparkngin",
        "org.opencontainers.image.description": description,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": license,
        "sparkngin.base": base,
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ inner }) => inner) },
    history: ["what the executable needs", "the executable"].map((created_by) => ({ created, created_by })),
  };
}

/** Both worlds' tables of contents over the same blobs. */
function archive({ version }: Release, layers: readonly Layer[], config: Uint8Array): Packed[] {
  const name = `sparkngin:${version}`;
  const blobs = [config, ...layers.map(({ bytes }) => bytes)];
  const manifest = json({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: described(config, "application/vnd.oci.image.config.v1+json"),
    layers: layers.map(({ bytes }) => described(bytes, "application/vnd.oci.image.layer.v1.tar+gzip")),
  });
  const listed = {
    ...described(manifest, "application/vnd.oci.image.manifest.v1+json"),
    annotations: {
      "org.opencontainers.image.ref.name": version,
      "io.containerd.image.name": `docker.io/library/${name}`,
    },
  };
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [listed] };
  const docker = [{ Config: blobPath(config), RepoTags: [name], Layers: layers.map(({ bytes }) => blobPath(bytes)) }];
  return [
    { path: "oci-layout", bytes: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", bytes: json(index) },
    { path: "manifest.json", bytes: json(docker) },
    ...[...blobs, manifest].map((bytes) => ({ path: blobPath(bytes), bytes })),
  ];
}

function described(bytes: Uint8Array, mediaType: string): Record<string, unknown> {
  return { mediaType, digest: digest(bytes), size: bytes.length };
}

function blobPath(bytes: Uint8Array): string {
  return `blobs/sha256/${sha256(bytes)}`;
}

function digest(bytes: Uint8Array): string {
  return `sha256:${sha256(bytes)}`;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
