/**
 * A peer by npm:zeromq under Node, with the arguments of zeromq_peer.py and the same answers. Where the package is stands in the
 * variable ZEROMQ_JS: it is installed for the tests alone.
 */
import { createRequire } from "node:module";

const zmq = createRequire(`${process.env.ZEROMQ_JS}/`)("zeromq");
const [kind, way, address, count, size = 0, runs = 1, pause = 0] = process.argv.slice(2)
  .map((word, i) => i < 3 ? word : Number(word));
const kinds = {
  push: zmq.Push,
  pub: zmq.Publisher,
  dealer: zmq.Dealer,
  req: zmq.Request,
  pull: zmq.Pull,
  sub: zmq.Subscriber,
};
const window = 1000;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const fill = "x".repeat(Math.max(0, size));

async function opened() {
  const socket = new kinds[kind]({ linger: -1 });
  for (const mark of ["sendHighWaterMark", "receiveHighWaterMark"]) if (mark in socket) socket[mark] = 0;
  if ("receiveTimeout" in socket) socket.receiveTimeout = 60_000;
  if (kind === "sub") socket.subscribe();
  if (way === "bind") await socket.bind(address);
  else socket.connect(address);
  return socket;
}

let waiting = [];
/** Much at a time, and all of it before the end. */
async function say(line) {
  waiting.push(line);
  if (waiting.length >= 500) await flush();
}
async function flush() {
  const text = Buffer.concat(waiting.flatMap((line) => [Buffer.from(line), Buffer.from("\n")]));
  waiting = [];
  await new Promise((resolve) => process.stdout.write(text, resolve));
}

async function sendAll(run) {
  const socket = await opened();
  if (run === 0) {
    await say(socket.lastEndpoint ?? address);
    await flush();
  }
  if (kind === "pub") await sleep(1000);
  let asked = 0;
  for (let i = 0; i < count; i++) {
    const body = `{"topic":"t","data":"${run}-${i}-${fill}"}`;
    await socket.send(kind === "dealer" ? ["", body] : body);
    asked++;
    while ((kind === "req" && asked > 0) || (kind === "dealer" && asked >= window)) {
      await say((await socket.receive()).at(-1));
      asked--;
    }
    if (pause > 0) await sleep(pause);
  }
  for (; kind === "dealer" && asked > 0; asked--) await say((await socket.receive()).at(-1));
  await flush();
  socket.close();
}

async function takeAll() {
  const socket = await opened();
  await say(socket.lastEndpoint ?? address);
  await flush();
  for (let i = 0; i < count; i++) {
    const frames = await socket.receive();
    if (size >= 0) await say(frames.at(-1));
  }
  await flush();
  socket.close();
}

if (kind === "pull" || kind === "sub") await takeAll();
else for (let run = 0; run < runs; run++) await sendAll(run);
