// The operands of a piece: runs of 64 strips that the node sends, each checked against the matrix's root before it is
// used (docs/workers.md, pieces).

import { hash, join } from "../blake3.js";
import { areEqual, toHex, u32 } from "../bytes.js";
import { Kernel } from "./kernel.js";

export const STRIP_ROWS = 16, PANEL = 1024, STRIP_BYTES = STRIP_ROWS * PANEL;
const RUN_STRIPS = 64, ROOTS = 160; // ROOTS is a field of `exchange` in operands.h
const INT7 = 1;

// Hashes runs by the kernel in WebAssembly.
export class RunHasher {
  constructor(module) {
    this.kernel = new Kernel(module);
  }

  // Returns the root of the subtree over strips that follow each other, or null if an entry is beyond -64 .. 63.
  hash(data) {
    const { wasm, io } = this.kernel, count = data.length / STRIP_BYTES;
    if (!wasm.reserve(STRIP_ROWS * count, STRIP_ROWS, PANEL)) throw new Error("there is too little memory for a run");
    new Uint8Array(wasm.memory.buffer, wasm.get_raw(0), data.length).set(data);
    return wasm.hash_operand(0) ? this.kernel.read(io + ROOTS, 32) : null;
  }
}

// Returns the root that a path leads to from leaf `index` of `count`. A node without a sibling is carried up.
export function climb(node, index, count, path) {
  const siblings = path.values();
  const next = () => {
    const { value, done } = siblings.next();
    if (done || value.length !== 32) throw new Error("a run's path has the wrong length");
    return value;
  };
  for (let last = count - 1; last > 0; index >>= 1, last >>= 1) {
    if (index & 1) node = hash("matrix node", next(), node);
    else if (index < last) node = hash("matrix node", node, next());
  }
  if (!siblings.next().done) throw new Error("a run's path has the wrong length");
  return node;
}

// One matrix of which runs arrive. `ref` is {id, rows, cols, root}.
export class Operand {
  constructor(ref, hasher) {
    const { id, rows, cols, root } = ref;
    if (!areEqual(hash("matrix", join(Uint8Array.of(INT7), u32(rows), u32(cols), root)), id)) {
      throw new Error(`operand ${toHex(id)} has another id than its shape and root give`);
    }
    Object.assign(this, { ref, hasher, runs: new Map() });
    this.strips = Math.ceil(rows / STRIP_ROWS);
    this.panels = Math.ceil(cols / PANEL);
    this.runCount = Math.ceil((this.strips * this.panels) / RUN_STRIPS);
  }

  // Returns the runs that strips [first, last) of rows need.
  listRuns(first, last) {
    const begin = Math.floor((first * this.panels) / RUN_STRIPS), end = Math.ceil((last * this.panels) / RUN_STRIPS);
    return Array.from({ length: end - begin }, (_, at) => begin + at);
  }

  // Forgets all runs but these.
  keep(indexes) {
    const wanted = new Set(indexes);
    for (const index of this.runs.keys()) if (!wanted.has(index)) this.runs.delete(index);
  }

  // Takes a run, or throws if it is not that of the matrix.
  add(index, data, path) {
    const first = index * RUN_STRIPS, last = Math.min(first + RUN_STRIPS, this.strips * this.panels);
    if (data.length !== (last - first) * STRIP_BYTES) throw new Error(`run ${index} has ${data.length} bytes`);
    const node = this.hasher.hash(data);
    if (node === null) throw new Error(`run ${index} has an entry beyond -64 .. 63`);
    if (!areEqual(climb(node, index, this.runCount, path), this.ref.root)) {
      throw new Error(`run ${index} does not lead to the root of operand ${toHex(this.ref.id)}`);
    }
    this.checkPadding(first, last, data);
    this.runs.set(index, data);
  }

  // Beyond its rows and columns, a matrix's strips are zero.
  checkPadding(first, last, data) {
    const { ref: { rows, cols }, panels } = this;
    for (let at = first; at < last; at++) {
      const high = Math.min(STRIP_ROWS, rows - Math.floor(at / panels) * STRIP_ROWS);
      const wide = Math.min(PANEL, cols - (at % panels) * PANEL);
      if (high === STRIP_ROWS && wide === PANEL) continue;
      const strip = data.subarray((at - first) * STRIP_BYTES, (at - first + 1) * STRIP_BYTES);
      const isBad = strip.some((byte, place) => byte !== 0 && (place >= high * PANEL || place % PANEL >= wide));
      if (isBad) throw new Error(`strip ${at} of operand ${toHex(this.ref.id)} is not zero beyond the matrix`);
    }
  }

  // Returns a copy of strips [first, last) of rows with all of their panels.
  cut(first, last) {
    const begin = first * this.panels, end = last * this.panels;
    const found = new Uint8Array((end - begin) * STRIP_BYTES);
    for (let at = begin; at < end; ) {
      const index = Math.floor(at / RUN_STRIPS), stop = Math.min(end, (index + 1) * RUN_STRIPS);
      const from = (at - index * RUN_STRIPS) * STRIP_BYTES;
      found.set(this.runs.get(index).subarray(from, from + (stop - at) * STRIP_BYTES), (at - begin) * STRIP_BYTES);
      at = stop;
    }
    return found;
  }
}
