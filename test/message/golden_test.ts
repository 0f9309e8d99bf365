import assert from "node:assert/strict";
import { originalFields } from "../../src/config/format.ts";
import { formatter } from "../../src/message/format.ts";
import { allKinds, idOf } from "./kinds.ts";

/** What each format makes of the messages in `kinds.ts`. Never to be written anew: others read what these say. */
const files: readonly { readonly name: string; readonly format: string; readonly fields?: string }[] = [
  { name: "envelope-v2.ndjson", format: "json-v2" },
  { name: "json-fields.ndjson", format: "json", fields: `${originalFields} %cookie_user_id%` },
  { name: "json-fields-data.ndjson", format: "json", fields: "%data% %submitted_timestamp% %id% %schema%" },
  { name: "plain-space.txt", format: "plain" },
  { name: "plain-2013.txt", format: "plain ' '", fields: originalFields },
  { name: "plain-tab.txt", format: "plain '\\t'", fields: "%id% %env% %type% %cookie_user_id% %data%" },
  { name: "cloudevents.ndjson", format: "cloudevents" },
  { name: "binary-v1.bin", format: "binary" },
];

for (const { name, format, fields } of files) {
  Deno.test(`M2.3 M5.2 format ${format} is for ever what golden/${name} shows`, () => {
    const write = formatter(format, fields);
    const lineEnd = format === "binary" ? [] : [10];
    const bytes = allKinds.flatMap((kind, at) => [...write(kind, idOf(at)), ...lineEnd]);
    const path = new URL(`../golden/formats/${name}`, import.meta.url);
    assert.deepEqual(Uint8Array.from(bytes), Deno.readFileSync(path));
  });
}
