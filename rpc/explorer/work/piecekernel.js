// The kernel in WebAssembly for a piece: some strips of W, by 8 strips of X at a time, with exact rows.

import { Kernel, readWins } from "./kernel.js";
import { PANEL, STRIP_BYTES, STRIP_ROWS } from "./operands.js";

const ANCHOR = 32, TARGET = 64, IDS = 96, WIN_BYTES = 44; // fields of `exchange` in operands.h, and of a win

export class PieceKernel {
  // `module` is a WebAssembly.Module.
  constructor(module) {
    this.kernel = new Kernel(module);
    this.name = "";
  }

  // Takes rowsW rows of W from strip firstW on. `data` has the strips, 16 KiB each, in the order strip * panels + panel.
  // `name` is what the memory holds afterwards.
  open({ name, firstW, rowsW, cols }, data) {
    const { wasm } = this.kernel;
    this.name = "";
    if (!wasm.reserve_piece(firstW, rowsW, cols)) throw new Error("this browser has too little memory for the piece");
    Object.assign(this, { rowsW, cols, panels: Math.ceil(cols / PANEL), strips: Math.ceil(rowsW / STRIP_ROWS) });
    this.place(1, rowsW, data);
    this.name = name;
  }

  // Draws the noise of W under an anchor. Tickets win with digests of at most `target`.
  start(ids, anchor, target) {
    const { kernel } = this;
    ids.forEach((id, at) => kernel.write(IDS + 32 * at, id));
    kernel.start(anchor, target);
    kernel.wasm.pack_w();
  }

  // Takes `rows` rows of X, at most 128, from strip `first` on.
  placeX(first, rows, data) {
    this.place(0, rows, data);
    this.kernel.wasm.place_x(first, rows);
    this.rowsX = rows;
  }

  // Draws the tickets of one panel of strips [first, last), and returns the wins {i, j, p, digest}.
  mine(first, last, panel) {
    const { kernel } = this, count = kernel.wasm.mine(first, last, panel);
    return readWins(kernel.read(kernel.wasm.get_wins(), WIN_BYTES * count));
  }

  // Returns a copy of the rows of X in memory by those of W, int32, after the last panel.
  readRows() {
    return this.kernel.read(this.kernel.wasm.get_rows(), 4 * this.rowsX * this.rowsW);
  }

  // Copies strips into the rows of X (0) or W (1), without their padding.
  place(which, rows, data) {
    const { cols, panels, kernel: { wasm } } = this;
    const raw = new Uint8Array(wasm.memory.buffer, wasm.get_raw(which), rows * cols);
    for (let row = 0; row < rows; row++) {
      const top = Math.floor(row / STRIP_ROWS) * panels * STRIP_BYTES + (row % STRIP_ROWS) * PANEL;
      for (let panel = 0; panel < panels; panel++) {
        const from = top + panel * STRIP_BYTES, width = Math.min(PANEL, cols - panel * PANEL);
        raw.set(data.subarray(from, from + width), row * cols + panel * PANEL);
      }
    }
  }
}
