/**
 * `${NAME}`, `${file:/path}` and `${cred:NAME}` (a credential that systemd hands over) in the texts of the configuration file:
 * secrets stay out of it. Replaced after parsing, so what they bring can never become a key or a table. `$${` is a plain `${`.
 */

export interface Outside {
  readonly env: Readonly<Record<string, string>>;
  /** The text of a file; throws when it cannot be read. */
  readFile(path: string): string;
}

/** A reference that leads nowhere. */
export class DeadReference extends Error {}

/** `value` with the references in its texts replaced, in lists and tables too. Throws `DeadReference`. */
export function resolveReferences(value: unknown, outside: Outside): unknown {
  if (typeof value === "string") return resolveText(value, outside);
  if (Array.isArray(value)) return value.map((part) => resolveReferences(part, outside));
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, resolveReferences(part, outside)]));
}

export function hasReference(value: unknown): boolean {
  return typeof value === "string"
    ? value.includes("${")
    : typeof value === "object" && value !== null && Object.values(value).some(hasReference);
}

/** A table, and neither a list nor a date. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function resolveText(text: string, outside: Outside): string {
  return text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (_, inner: string | undefined, end: string) => {
    if (inner === undefined) return "${";
    if (end === "") throw new DeadReference(`a "\${" lacks its closing brace; write $\${ for a plain \${`);
    return target(inner, outside);
  });
}

function target(inner: string, { env, readFile }: Outside): string {
  if (inner.startsWith("file:")) return fileText(inner.slice("file:".length), readFile);
  if (inner.startsWith("cred:")) return fileText(credential(inner.slice("cred:".length), env), readFile);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(inner)) {
    throw new DeadReference(
      `"\${${inner}}" is none of \${NAME}, \${file:/path} and \${cred:NAME}; write $\${ for a plain \${`,
    );
  }
  if (!Object.hasOwn(env, inner)) throw new DeadReference(`the environment has no variable ${inner}`);
  return env[inner]!;
}

/** Where systemd has put it. */
function credential(name: string, env: Outside["env"]): string {
  if (!/^[A-Za-z0-9._-]{1,255}$/.test(name) || /^\.{1,2}$/.test(name)) {
    throw new DeadReference(`"\${cred:${name}}" is no name of a credential`);
  }
  const dir = env.CREDENTIALS_DIRECTORY;
  if (!dir) {
    throw new DeadReference(
      `there are no credentials, because CREDENTIALS_DIRECTORY is not set; write LoadCredential=${name}:/path into the ` +
        `unit of systemd, or else \${file:/path} here`,
    );
  }
  return `${dir}/${name}`;
}

const plain: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};

/** The system's name of what went wrong. */
function codeOf(problem: unknown): string {
  const code = (problem as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Without the line end that editors leave behind a secret. */
function fileText(path: string, readFile: Outside["readFile"]): string {
  try {
    return readFile(path).replace(/\r?\n$/, "");
  } catch (problem) {
    const reason = plain[codeOf(problem)] ?? (problem instanceof Error ? problem.message : String(problem));
    throw new DeadReference(`the file "${path}" cannot be read: ${reason}`, { cause: problem });
  }
}
