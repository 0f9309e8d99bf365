/** Texts of ours as mdoc, the language of manual pages. */

/** As a sentence of its own lines: a capital in front, a stop behind. */
export function sentence(help: string): string {
  return lines(`${help[0]!.toUpperCase()}${help.slice(1)}${/[.?!]$/.test(help) ? "" : "."}`);
}

/** One argument of a macro, whatever it holds. */
export function argument(text: string): string {
  return `"${escaped(text).replaceAll('"', "\\(dq")}"`;
}

/** Filled lines, none of which can be taken for a macro. */
export function lines(text: string, width = 76): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last === "") lines[lines.length - 1] = word;
    else if (last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  // A point or apostrophe in front would make a macro of the line.
  return lines.map((line) => `${/^[.']/.test(line) ? "\\&" : ""}${escaped(line)}\n`).join("");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("~", "\\(ti").replaceAll("^", "\\(ha");
}
