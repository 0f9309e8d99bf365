/**
 * Which messages a destination gets that takes only a share of them. Decided by the id alone: the same message is judged the same
 * way every time, at every destination and on every node, and who takes a tenth takes a part of what another takes half of.
 */

const two32 = 2 ** 32;

/** `share` is more than 0; nothing where all are taken. */
export function sampleOf(share: number): ((id: string) => boolean) | undefined {
  return share >= 1 ? undefined : (id) => placeOf(id) < share;
}

/** Where between 0 and 1 an id falls: FNV-1a, then mixed once more, as ids of one node differ in their last digits only. */
function placeOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return ((hash ^ hash >>> 16) >>> 0) / two32;
}
