import assert from "node:assert/strict";
import { carryOut } from "../crash/needs.ts";
import { packageTest, root } from "./made.ts";

packageTest("the unit is exposed no more than 1.5, by the count of systemd-analyze", {
  commands: ["systemd-analyze"],
}, async () => {
  const unit = `${root}/packaging/files/sparkngin.service`;
  const said = await carryOut("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", unit);
  assert.match(said, /Overall exposure level for sparkngin\.service: (0|1\.[0-5])/);
});
