/** The change log of a package, as rpm and Debian want it: it points to ours. */
import type { Release } from "./release.ts";

/** No person made this package: it comes out of the build. */
export const packager = "Sparkngin <sparkngin@localhost>";
const change = "See CHANGELOG.md of this version.";

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function rpmChanges({ version, epoch }: Release, number: string): string {
  const date = new Date(epoch * 1000);
  const day = String(date.getUTCDate()).padStart(2, "0");
  const when = `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${date.getUTCFullYear()}`;
  return `* ${when} ${packager} - ${version}-${number}\n- ${change}\n`;
}

export function debianChanges({ version, epoch }: Release, number: string): string {
  const when = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  return `sparkngin (${version}-${number}) unstable; urgency=medium\n\n  * ${change}\n\n -- ${packager}  ${when}\n`;
}
