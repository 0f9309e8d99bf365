/** Carries out the programs of others that packing needs. */
export interface Surroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What it said; throws with what it complained about. */
export async function carryOut(command: string, args: readonly string[], around: Surroundings = {}): Promise<string> {
  const done = await new Deno.Command(command, { args: [...args], ...around, stdin: "null" }).output().catch(
    (problem) => {
      throw new Error(`Cannot run ${command}: ${(problem as Error).message}`);
    },
  );
  const text = new TextDecoder();
  if (done.success) return text.decode(done.stdout);
  const said = `${text.decode(done.stdout)}${text.decode(done.stderr)}`.trim();
  throw new Error(`${command} ${args.join(" ")} ended with ${done.code}: ${said}`);
}

export function isThere(command: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${command}`], stdout: "null" }).outputSync().success;
}
