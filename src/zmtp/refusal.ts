/** Why a peer's connection is ended: what it sent is no ZMTP, or more than we take. */

export const refusalCodes = ["protocol", "too-large", "too-slow", "too-many"] as const;
export type RefusalCode = (typeof refusalCodes)[number];

export interface Refusal {
  readonly code: RefusalCode;
  /** One sentence for a person; holds nothing a peer sent. */
  readonly detail: string;
}

export function refuse(code: RefusalCode, detail: string): Refusal {
  return { code, detail };
}
