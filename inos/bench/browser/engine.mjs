// Draws tickets with the browser's kernel in V8: node engine.mjs KERNEL_JS KERNEL_WASM. For each line with a number of
// seconds on its input it draws for that long, and answers with a line of JSON.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [, , script, module] = process.argv;
// As a data URL the script is a module whatever stands beside it.
const { Kernel } = await import(`data:text/javascript;base64,${readFileSync(script).toString("base64")}`);
const kernel = new Kernel(new WebAssembly.Module(readFileSync(module)));
kernel.open({ seed: new Uint8Array(32), rowsX: 1024, rowsW: 1024, depth: 1024 });

let anchors = 0;
function draw(seconds) {
  const before = performance.now(), used = process.cpuUsage().user;
  let tickets = 0;
  while (performance.now() - before < 1000 * seconds) {
    const anchor = new Uint8Array(32);
    new DataView(anchor.buffer).setUint32(0, ++anchors);
    for (const { drawn } of kernel.draw(anchor, new Uint8Array(32))) tickets += drawn;
  }
  return { tickets, wall: (performance.now() - before) / 1000, processor: (process.cpuUsage().user - used) / 1e6 };
}

for await (const line of createInterface({ input: process.stdin })) console.log(JSON.stringify(draw(Number(line))));
