// Freivalds' check of Y = X·Wᵀ, as every node makes it (docs/protocol.md, section 5): Y·R = X·(Wᵀ·R), with R of n × 16 bytes.

import { fromHex, toHex } from "./bytes.js";
import { hash, stream } from "./blake3.js";

export const VECTORS = 16;
const CHUNK = 4096; // Terms per partial sum, so that each stays below 2^53 and is exact as a double.

export function computeSeed(job, x, w, y) {
  return hash("freivalds", fromHex(job), fromHex(x), fromHex(w), fromHex(y));
}

// Yields the rows of a product, rows x cols times cols x 16. Sums reach 2^57, so they are BigInts.
function* multiply(matrix, rows, cols, vectors) {
  for (let r = 0; r < rows; r++) {
    const sums = new Array(VECTORS).fill(0n);
    for (let start = 0; start < cols; start += CHUNK) {
      const part = new Float64Array(VECTORS);
      for (let c = start; c < Math.min(cols, start + CHUNK); c++) {
        const entry = matrix[r * cols + c];
        if (entry !== 0) for (let v = 0; v < VECTORS; v++) part[v] += entry * vectors[c * VECTORS + v];
      }
      for (let v = 0; v < VECTORS; v++) sums[v] += BigInt(part[v]);
    }
    yield sums;
  }
}

// Returns Wᵀ·R. Its entries are below 2^20 · 2^6 · 2^8 = 2^34, so doubles are exact.
function project(w, rows, cols, vectors) {
  const found = new Float64Array(cols * VECTORS);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const entry = w[r * cols + c];
      if (entry !== 0) for (let v = 0; v < VECTORS; v++) found[c * VECTORS + v] += entry * vectors[r * VECTORS + v];
    }
  }
  return found;
}

const yieldToBrowser = () => new Promise((resolve) => setTimeout(resolve, 0));

// Returns {isRight, wrongRow, seed}. x, w, y: {rows, cols, data}. `onRow` is called with the number of rows checked.
export async function check(seed, x, w, y, onRow = () => {}) {
  if (x.cols !== w.cols || y.rows !== x.rows || y.cols !== w.rows) throw new Error("the shapes of X, W and Y do not fit");
  const vectors = stream(seed, "vectors", VECTORS * w.rows);
  const projected = project(w.data, w.rows, w.cols, vectors);
  const right = multiply(x.data, x.rows, x.cols, projected);
  let row = 0, last = performance.now();
  for (const sums of multiply(y.data, y.rows, y.cols, vectors)) {
    const other = right.next().value;
    if (sums.some((sum, v) => sum !== other[v])) return { isRight: false, wrongRow: row, seed: toHex(seed) };
    row++;
    if (performance.now() - last > 50) {
      onRow(row);
      await yieldToBrowser();
      last = performance.now();
    }
  }
  onRow(row);
  return { isRight: true, wrongRow: null, seed: toHex(seed) };
}
