import assert from "node:assert/strict";
import { vanished } from "../../src/config/vanished.ts";

const dir = "/etc/sparkngin/conf.d";
const main = (text: string) => ({ name: "/etc/sparkngin/sparkngin.toml", text });
const beside = (text: string) => ({ name: `${dir}/bus.toml`, text });
const destination = (name: string) => `[[destination]]\nname = "${name}"\nkind = "file"\n`;

Deno.test("M8.1 destinations that would go with their directory are named, with what to do", () => {
  const before = [beside(destination("bus") + destination("web"))];
  assert.equal(
    vanished({ dir, before, files: [main(destination("out"))] }),
    `Cannot read ${dir}: the directory is gone, and with it "bus", "web", which stood in it when it was read last: ` +
      `reload again when it is back; if nothing of it should stay, make an empty one (mkdir ${dir}), or restart`,
  );
});

Deno.test("M8.1 a directory without destinations may go, and one whose destinations stand elsewhere by now", () => {
  for (const before of [[], [beside("")], [beside("[http]\nkeys = true\n")], [beside(destination("bus"))]]) {
    assert.equal(vanished({ dir, before, files: [main(destination("bus"))] }), undefined);
  }
});
