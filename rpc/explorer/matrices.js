// Matrices by id, fetched a few rows at a time; a file is compared with its id.

import { call } from "./api.js";
import { hash } from "./blake3.js";
import { fromBase64, toHex } from "./bytes.js";
import { computeMatrixId } from "./certificate.js";

const PIECE_BYTES = 4 * 2 ** 20;
const WAIT_S = 20;
const ROW_BYTES = 1024, STRIP_BYTES = 16 * ROW_BYTES, FILE_DTYPE = 3;
const STRIPS_AT_ONCE = 32; // The page can be drawn after so many strips are hashed.

// Returns {dtype, rows, cols, size}; the node requests a matrix it lacks from its peers.
export function fetchShape(id) {
  return call("mesh_getRows", { id, count: 0, wait_s: WAIT_S });
}

// Returns {dtype, rows, cols, data}: the entries row by row, or the bytes of a file.
export async function fetchMatrix(id) {
  const { dtype, rows, cols } = await fetchShape(id);
  const layout = getLayout(dtype, rows, cols);
  const data = new layout.Entries(layout.length);
  const step = Math.max(1, Math.floor(PIECE_BYTES / (layout.row * data.BYTES_PER_ELEMENT)));
  for (let first = 0; first < rows; first += step) {
    const part = fromBase64((await call("mesh_getRows", { id, first, count: step })).data);
    data.set(new layout.Entries(part.buffer), first * layout.row);
  }
  return { dtype, rows, cols, data };
}

// Returns the array that holds the entries of a data type, how many there are in a row, and in all.
function getLayout(dtype, rows, cols) {
  switch (dtype) {
    case "int8": return { Entries: Int8Array, row: cols, length: rows * cols };
    case "int32": return { Entries: Int32Array, row: cols, length: rows * cols };
    case "bytes": return { Entries: Uint8Array, row: ROW_BYTES, length: (rows - 1) * ROW_BYTES + cols };
    default: throw new Error(`the node names a data type that this page does not know: ${dtype}`);
  }
}

// Returns the id of a file in hex (docs/protocol.md, section 2).
export async function computeFileId(bytes, onStrip = () => {}) {
  const count = Math.max(1, Math.ceil(bytes.length / STRIP_BYTES));
  let nodes = [];
  for (let strip = 0; strip < count; strip++) {
    const padded = new Uint8Array(STRIP_BYTES);
    padded.set(bytes.subarray(strip * STRIP_BYTES, (strip + 1) * STRIP_BYTES));
    nodes.push(hash("matrix strip", padded));
    if (strip % STRIPS_AT_ONCE === STRIPS_AT_ONCE - 1) {
      onStrip(strip + 1, count);
      await new Promise((done) => setTimeout(done));
    }
  }
  while (nodes.length > 1) {
    const level = nodes;
    nodes = [];
    for (let at = 0; at < level.length; at += 2) {
      nodes.push(at + 1 < level.length ? hash("matrix node", level[at], level[at + 1]) : level[at]);
    }
  }
  const rows = Math.max(1, Math.ceil(bytes.length / ROW_BYTES));
  return toHex(computeMatrixId({ rows, cols: bytes.length - (rows - 1) * ROW_BYTES, root: nodes[0] }, FILE_DTYPE));
}
