/** The fields of a message for sparkngin(7), from where they are declared. */
import { type FieldLabel, meanings } from "../src/message/meaning.ts";
import { outputNames } from "../src/message/message.ts";
import { sentence } from "./mdoc.ts";

/** In the order in which the V1 envelope has them. */
const labels: readonly FieldLabel[] = ["id", "timestamp", ...outputNames.map(([, label]) => label), "data"];

export function fieldTable(): string {
  const items = labels.map((label) => {
    const { what, form, from } = meanings[label];
    return `.It Ic ${label}\n${sentence(what)}Form:\n${clause(form)}From:\n${clause(from)}`;
  });
  return `.Bl -tag -width Ds\n${items.join("")}.El\n`;
}

/** The end of a sentence. */
function clause(text: string): string {
  return text[0]! + sentence(text).slice(1);
}
