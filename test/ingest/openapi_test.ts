/** The description of the intake's address against the routes themselves. */
import assert from "node:assert";
import { problemCodes } from "../../src/ingest/problem.ts";
import { openNode } from "./fakes.ts";

interface Described {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { readonly responses: Record<string, unknown> }>>;
  readonly components: Record<
    string,
    Record<string, { readonly properties?: Record<string, { readonly enum?: string[] }> }>
  >;
}

async function described(root: string): Promise<Described> {
  const node = openNode({ root });
  const answer = await node.ask(`${root}/openapi.json`);
  assert.deepEqual([answer.status, answer.headers["content-type"]], [200, "application/json"]);
  return JSON.parse(answer.body as string);
}

for (const root of ["", "/sn"]) {
  Deno.test(`M1.10: each endpoint of /openapi.json is there, with root "${root}"`, async () => {
    const { openapi, paths } = await described(root);
    assert.equal(openapi, "3.1.0");
    const node = openNode({ root });
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, { responses }] of Object.entries(methods)) {
        const target = `${path.replace("{topic}", "t").replace("{site}", "s")}${
          path.endsWith("/log") ? "?topic=t" : ""
        }`;
        const asked = method === "post" ? { method: "POST", body: '{"x":1}' } : { method: "GET" };
        const { status } = await node.ask(target, asked);
        assert.ok(String(status) in responses, `${method} ${target} is answered with ${status}`);
      }
    }
  });
}

Deno.test("M1.10: every reference of /openapi.json leads somewhere, and every problem is told", async () => {
  const { paths, components } = await described("");
  const references = [...JSON.stringify({ paths, components }).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
  assert.ok(references.length > 50);
  for (const [, place, name] of references) assert.ok(components[place!]?.[name!], `${place} ${name}`);
  const told = components.schemas!.Problem!.properties!.type!.enum;
  assert.deepEqual(told, problemCodes.map((code) => `/errors/${code}`));
});
