/** Texts from outside, so that they cannot drive the terminal: move its cursor, change its title, or look like other lines. */

/** Control characters, separators of lines, and marks that reverse the direction of writing or cannot be seen. */
// deno-lint-ignore no-control-regex
const hostile = /[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Cs}/gu;

/** For people: `\x1b` instead of the character. */
export function printable(text: string): string {
  return text.replace(hostile, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** For programs: JSON that means the same. What stands between its tokens becomes a space, what stands in a text an escape. */
export function printableJson(json: string): string {
  return json.replace(hostile, (character) => {
    const between = "\t\n\r".includes(character);
    return between ? " " : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
