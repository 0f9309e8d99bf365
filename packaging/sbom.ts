/** What is inside the executable, as a CycloneDX bill of materials: from the lock file, so nothing is guessed. Pure. */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

export interface SbomParts {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** Of the Deno that is inside. */
  readonly runtime: string;
  /** The text of deno.lock. */
  readonly lock: string;
  /** Of the packages that are inside, by name and version; the lock also knows those of other machines. */
  readonly licenses: ReadonlyMap<string, string>;
  /** What the program itself names, e.g. "npm:hono@4.13.19". */
  readonly imports: readonly string[];
}

interface Lock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm?: Readonly<Record<string, LockedPackage>>;
  readonly jsr?: unknown;
  readonly remote?: unknown;
}
interface LockedPackage {
  readonly integrity?: string;
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
  readonly optionalPeers?: readonly string[];
}

export function makeSbom(parts: SbomParts): string {
  const lock = JSON.parse(parts.lock) as Lock;
  if (lock.jsr ?? lock.remote) throw new Error("Cannot list what comes from elsewhere than npm: teach sbom.ts first");
  const inside = Object.entries(lock.npm ?? {}).filter(([key]) => parts.licenses.has(plain(key)));
  const keys = new Set(inside.map(([key]) => plain(key)));
  const self = `pkg:generic/${parts.name}@${parts.version}`;
  const runtime = `pkg:generic/deno@${parts.runtime}`;
  const direct = parts.imports.map((specifier) => `${nameOf(specifier.slice(4))}@${lock.specifiers[specifier]}`);
  const body = {
    metadata: {
      timestamp: new Date(parts.epoch * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": self,
        name: parts.name,
        version: parts.version,
        licenses: licensed(parts.license),
        purl: self,
      },
    },
    components: [
      {
        type: "platform",
        "bom-ref": runtime,
        name: "deno",
        version: parts.runtime,
        licenses: licensed("MIT"),
        purl: runtime,
      },
      ...inside.map(([key, locked]) => component(plain(key), locked, parts.licenses.get(plain(key))!)),
    ],
    dependencies: [
      { ref: self, dependsOn: [runtime, ...direct.map((key) => purl(plain(key))).sort()] },
      { ref: runtime },
      ...inside.map(([key, locked]) => ({ ref: purl(plain(key)), dependsOn: needsOf(locked, keys) })),
    ],
  };
  const head = { bomFormat: "CycloneDX", specVersion: "1.6", serialNumber: serialOf(JSON.stringify(body)), version: 1 };
  return `${JSON.stringify({ ...head, ...body }, null, 2)}\n`;
}

function component(key: string, { integrity }: LockedPackage, license: string): Record<string, unknown> {
  const name = nameOf(key);
  const slash = name.indexOf("/");
  return {
    type: "library",
    "bom-ref": purl(key),
    ...(slash > 0 && { group: name.slice(0, slash) }),
    name: name.slice(slash + 1),
    version: versionOf(key),
    ...(integrity?.startsWith("sha512-") &&
      { hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.slice(7), "base64").toString("hex") }] }),
    ...(license !== "" && { licenses: licensed(license) }),
    purl: purl(key),
  };
}

/** A name that stands in one version only comes without it. */
function needsOf(locked: LockedPackage, keys: ReadonlySet<string>): string[] {
  const { dependencies = [], optionalDependencies = [], optionalPeers = [] } = locked;
  const named = [...dependencies, ...optionalDependencies, ...optionalPeers].map(plain);
  const found = named.flatMap((name) => [...keys].filter((key) => key === name || nameOf(key) === name));
  return [...new Set(found.map(purl))].sort();
}

function licensed(license: string): unknown[] {
  return [/ (OR|AND|WITH) /.test(license) ? { expression: license } : { license: { id: license } }];
}

/** "ajv@8.20.0_peer@1" is "ajv@8.20.0" with a certain peer. */
function plain(key: string): string {
  const underscore = key.indexOf("_", key.indexOf("@", 1));
  return underscore < 0 ? key : key.slice(0, underscore);
}

function nameOf(key: string): string {
  const at = key.indexOf("@", 1);
  return at < 0 ? key : key.slice(0, at);
}

function versionOf(key: string): string {
  return key.slice(key.indexOf("@", 1) + 1);
}

function purl(key: string): string {
  return `pkg:npm/${nameOf(key).replace("@", "%40")}@${versionOf(key)}`;
}

/** A UUID that the content decides, so that the same content has the same. */
function serialOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ];
  return `urn:uuid:${parts.join("-")}`;
}
