/** Flume: its HTTP source into its file channel, which syncs each transaction before the 200, and a sink that forgets. */
import { messageLine } from "./body.ts";
import { Skipped } from "./case.ts";
import { build, cached } from "./cache.ts";
import { sendLoad } from "./load.ts";
import { freePort, type Peer, type PeerSetup, startedPeer } from "./peer.ts";
import { findCommand } from "./process.ts";

const version = "1.11.0";

export async function startFlume({ bench, load, messages }: PeerSetup): Promise<Peer> {
  const command = await findCommand("java");
  if (command === undefined) throw new Skipped("needs Java");
  const home = await cached(`flume-${version}`, async (dir) => {
    bench.note(`fetches Flume ${version}`);
    await Deno.writeTextFile(`${dir}/pom.xml`, pom);
    const args = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime"];
    await build({ command: "mvn", args, cwd: dir });
  });
  const port = freePort();
  const dir = `${bench.dir}/flume`;
  await Deno.mkdir(dir);
  await Deno.writeTextFile(`${dir}/agent.conf`, agent(dir, port));
  await Deno.writeTextFile(`${dir}/log4j2.properties`, "rootLogger.level = warn\n");
  await Deno.writeTextFile(`${dir}/body`, events(messages));
  const args = ["-Xmx512m", "-XX:+UseSerialGC", `-Dlog4j2.configurationFile=${dir}/log4j2.properties`];
  args.push("-cp", `${home}/lib/*`, "org.apache.flume.node.Application");
  args.push("-n", "a", "-f", `${dir}/agent.conf`, "--no-reload-conf");
  const peer = await startedPeer({ command, args, cwd: dir }, port, bench);
  const body = { file: `${dir}/body`, type: "application/json; charset=UTF-8" };
  const { connections } = load;
  return { ...peer, send: (timing) => sendLoad(peer.address, { path: "/", connections, body }, timing) };
}

/** The same messages in the form that it takes. */
function events(count: number): string {
  const all = Array.from({ length: count }, (_, number) => ({ headers: { topic: "test" }, body: messageLine(number) }));
  return JSON.stringify(all);
}

function agent(dir: string, port: number): string {
  return `a.sources = s
a.channels = c
a.sinks = k
a.sources.s.type = http
a.sources.s.bind = 127.0.0.1
a.sources.s.port = ${port}
a.sources.s.channels = c
a.channels.c.type = file
a.channels.c.checkpointDir = ${dir}/checkpoint
a.channels.c.dataDirs = ${dir}/data
a.sinks.k.type = null
a.sinks.k.channel = c
a.sinks.k.batchSize = 1000
`;
}

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>sparkngin.bench</groupId><artifactId>flume</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.flume</groupId><artifactId>flume-ng-node</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.flume</groupId><artifactId>flume-ng-core</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.flume.flume-ng-channels</groupId><artifactId>flume-file-channel</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.20.0</version></dependency>
  </dependencies>
</project>
`;
