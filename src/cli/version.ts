/** The version of this program; the same as in deno.json, which the executable does not carry. */
export const version = "0.1.0";
