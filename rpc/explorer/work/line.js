// How fast the line to the node is. A node gives pieces only to a page whose line takes a small part of their time.

import { MAX_ROWS_BYTES } from "./messages.js";

const LEAST_BYTES = 128 * 1024; // less says more about delays than about the line
const FETCHES = 6, SHORT_MS = 100, MORE_ROWS = 8;

export class Line {
  // Bytes per second; 0 while not measured.
  constructor() {
    this.down = this.up = 0;
  }

  // Counts that `bytes` of a piece took `ms` in the direction "down" or "up".
  note(direction, bytes, ms) {
    const rate = computeRate(bytes, ms);
    if (rate) this[direction] = Math.round((this[direction] + rate) / (this[direction] ? 2 : 1));
  }

  // Fetches about a mebibyte, then sends 256 KiB, and 2 MiB more if these took no longer than a tenth of a second. Of several
  // measurements the best counts, since other work on either machine makes them only worse.
  // sendRows(count) sends so many Rows that the node ignores, and resolves when they have arrived.
  async measure(sendRows) {
    let began = performance.now();
    const fetched = await Promise.all(Array.from({ length: FETCHES }, fetchAfresh));
    const bytes = fetched.reduce((sum, one) => sum + one, 0);
    this.down = Math.max(this.down, computeRate(bytes, performance.now() - began));
    for (const count of [1, MORE_ROWS]) {
      began = performance.now();
      await sendRows(count);
      const ms = performance.now() - began;
      this.up = Math.max(this.up, computeRate(count * MAX_ROWS_BYTES, ms));
      if (ms > SHORT_MS) break;
    }
  }
}

// Returns bytes per second, or 0 if they were too few to tell.
function computeRate(bytes, ms) {
  return bytes < LEAST_BYTES || ms <= 0 ? 0 : Math.max(1, Math.round((1000 * bytes) / ms));
}

async function fetchAfresh() {
  return (await (await fetch("kernel.wasm", { cache: "no-store" })).arrayBuffer()).byteLength;
}
