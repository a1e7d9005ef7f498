// How fast the line to the node is. A node gives pieces only to a page whose line takes a small part of their time.

import { MAX_ROWS_BYTES } from "./messages.js";

const LEAST_BYTES = 128 * 1024; // less says more about delays than about the line
const FETCHES = 6, SHORT_MS = 100, MORE_ROWS = 8;

export class Line {
  // Bytes per second; 0 while not measured.
  constructor() {
    this.down = this.up = 0;
  }

  // Counts that `bytes` took `ms` in the direction "down" or "up".
  note(direction, bytes, ms) {
    if (bytes < LEAST_BYTES || ms <= 0) return;
    const rate = Math.max(1, Math.round((1000 * bytes) / ms));
    this[direction] = this[direction] ? Math.round((this[direction] + rate) / 2) : rate;
  }

  // Fetches about a mebibyte, then sends 256 KiB, and 2 MiB more if these took no longer than a tenth of a second.
  // sendRows(count) sends so many Rows that the node ignores, and resolves when they have arrived.
  async measure(sendRows) {
    let began = performance.now();
    const fetched = await Promise.all(Array.from({ length: FETCHES }, fetchAfresh));
    this.note("down", fetched.reduce((sum, bytes) => sum + bytes, 0), performance.now() - began);
    for (const count of [1, MORE_ROWS]) {
      began = performance.now();
      await sendRows(count);
      const ms = performance.now() - began;
      if (count > 1) this.up = 0; // the larger measurement counts alone
      this.note("up", count * MAX_ROWS_BYTES, ms);
      if (ms > SHORT_MS) break;
    }
  }
}

async function fetchAfresh() {
  return (await (await fetch("kernel.wasm", { cache: "no-store" })).arrayBuffer()).byteLength;
}
