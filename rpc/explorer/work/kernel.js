// The kernel in WebAssembly: one filler at a time, and the tickets of its product under any number of anchors.

const STRIP_ROWS = 16, PANEL = 1024;
const BATCH = 8; // strips of X that one call multiplies
const WIN_WORDS = 11;
const SEED = 0, ANCHOR = 32, TARGET = 64, IDS = 96, SEEDS = 224; // fields of `exchange` in kernel.c

export class Kernel {
  // `module` is a WebAssembly.Module; it imports nothing.
  constructor(module) {
    this.wasm = new WebAssembly.Instance(module).exports;
    this.io = this.wasm.get_io();
  }

  // Draws the operands of a filler {seed, rowsX, rowsW, depth}.
  open({ seed, rowsX, rowsW, depth }) {
    if (!this.wasm.reserve(rowsX, rowsW, depth)) throw new Error("there is too little memory for this filler");
    this.strips = [Math.ceil(rowsX / STRIP_ROWS), Math.ceil(rowsW / STRIP_ROWS)];
    this.panels = Math.ceil(depth / PANEL);
    this.depth = depth;
    this.rows = [rowsX, rowsW];
    this.write(SEED, seed);
    this.wasm.draw_operand(0);
    this.wasm.draw_operand(1);
    this.ids = [this.read(this.io + IDS, 32), this.read(this.io + IDS + 32, 32)];
  }

  // Draws the seeds and permutations under an anchor. Tickets win with digests of at most `target`.
  start(anchor, target) {
    this.write(ANCHOR, anchor);
    this.write(TARGET, target);
    this.wasm.start();
  }

  // Yields {drawn, wins} of one slice after the other. A win is {i, j, p, digest}.
  *draw(anchor, target) {
    this.start(anchor, target);
    this.wasm.pack_w();
    for (let first = 0; first < this.strips[0]; first += BATCH) {
      const last = Math.min(first + BATCH, this.strips[0]);
      for (let panel = 0; panel < this.panels; panel++) {
        const count = this.wasm.mine(first, last, panel);
        const wins = readWins(this.read(this.wasm.get_wins(), 4 * WIN_WORDS * count));
        yield { drawn: (last - first) * this.strips[1], wins };
      }
    }
  }

  getSeedX() {
    return this.read(this.io + SEEDS, 32);
  }

  // Returns a copy of memory.
  read(at, length) {
    return new Uint8Array(this.wasm.memory.buffer, at, length).slice();
  }

  write(at, bytes) {
    new Uint8Array(this.wasm.memory.buffer, this.io + at, bytes.length).set(bytes);
  }
}

// Reads records of i, j, p and the digest, as both kernels write them.
export function readWins(bytes) {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return Array.from({ length: words.length / WIN_WORDS }, (_, at) => {
    const [i, j, p] = words.subarray(at * WIN_WORDS);
    return { i, j, p, digest: bytes.slice(4 * (at * WIN_WORDS + 3), 4 * (at + 1) * WIN_WORDS) };
  });
}
