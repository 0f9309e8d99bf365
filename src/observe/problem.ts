/** Why the management address does not do what it was asked: as problem+json (RFC 9457). */

const problems = {
  400: ["bad-order", "The order cannot be understood"],
  401: ["unauthorized", "A key is needed"],
  403: ["forbidden", "The key does not allow this"],
  404: ["not-found", "There is no such destination"],
  405: ["method-not-allowed", "The method is not allowed here"],
  409: ["not-possible", "That is not possible now"],
  415: ["unsupported-type", "The type of the body is not supported"],
  503: ["unavailable", "That cannot be told now"],
} as const;

export function problem(
  status: keyof typeof problems,
  detail: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const [code, title] = problems[status];
  const body = JSON.stringify({ type: `/errors/${code}`, title, status, detail, retryable: status === 503 });
  const headers = {
    "Content-Type": "application/problem+json",
    ...(status === 503 && { "Retry-After": "1" }),
    ...more,
  };
  return new Response(body, { status, headers });
}
