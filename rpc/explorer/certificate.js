// Checks a block's certificate from its bytes, without requests to the node (docs/protocol.md, section 3).

import { areEqual, decode, toBigInt, toHex, u32 } from "./bytes.js";
import { hash, join, keyed, stream } from "./blake3.js";

export const ROWS = 16, PANEL = 1024, STEP = 64, STEPS = PANEL / STEP;

export function readHeader(bytes) {
  const fields = decode(bytes);
  const [version, chainId, height, parent, timeMs, , stateRoot, target, beneficiary, nonce, seal] = fields;
  return {
    version, chainId, height, parent, timeMs, stateRoot, target, beneficiary, nonce,
    id: hash("header", bytes),
    anchor: computeAnchor(bytes, fields),
    seal: seal && {
      x: readRef(seal[0]), w: readRef(seal[1]), i: seal[2], j: seal[3], p: seal[4], digest: seal[5],
    },
  };
}

function readRef([id, rows, cols, root]) {
  return { id, rows, cols, root };
}

// H("anchor", the header without its last field): the same array with one item less.
function computeAnchor(bytes, fields) {
  const short = bytes.slice(0, fields.ends[fields.length - 2]);
  short[0] = 0x90 | (fields.length - 1);
  return hash("anchor", short);
}

export function readWitness(bytes) {
  const [xStrip, xPath, wStrip, wPath] = decode(bytes);
  return { xStrip, xPath, wStrip, wPath };
}

export function computeMatrixId(ref, dtype = 1) {
  return hash("matrix", Uint8Array.of(dtype), u32(ref.rows), u32(ref.cols), ref.root);
}

export function computeRootFromPath(leaf, index, count, path) {
  let node = leaf, last = count - 1, used = 0;
  while (last > 0) {
    if (index % 2 === 1 || index < last) {
      const sibling = path[used++];
      if (!sibling) throw new Error("the path is too short");
      node = index % 2 === 1 ? hash("matrix node", sibling, node) : hash("matrix node", node, sibling);
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  if (used !== path.length) throw new Error("the path is too long");
  return node;
}

export function computeSeeds(anchor, wId, xId) {
  const seedW = hash("noise w", anchor, wId);
  return { seedW, seedX: hash("noise x", seedW, xId) };
}

// Returns rows [first, first + 16) of E_L, or of F_L if shift is 64, row-major 16 x 64.
export function computeNoiseRows(seed, first, shift) {
  return Int16Array.from(stream(seed, "rows", ROWS * STEP, first * STEP), (byte) => (byte & 0x7f) - shift);
}

export function computePermutation(seed, block) {
  const bytes = stream(seed, "perm", 4 * STEP, 4 * STEP * block);
  const words = new DataView(bytes.buffer);
  const order = Array.from({ length: STEP }, (_, c) => c);
  const read = (c) => words.getUint32(4 * c, true);
  return order.sort((a, b) => read(a) - read(b) || a - b);
}

// Returns the strip with noise, row-major 16 x 1024.
export function addNoise(strip, seed, first, panel, noiseShift, entryShift) {
  const rows = computeNoiseRows(seed, first, noiseShift);
  const noisy = new Int16Array(ROWS * PANEL);
  const entries = new Int8Array(strip.buffer, strip.byteOffset, strip.length);
  for (let b = 0; b < STEPS; b++) {
    const order = computePermutation(seed, panel * STEPS + b);
    for (let r = 0; r < ROWS; r++) {
      for (let c = 0; c < STEP; c++) {
        const at = r * PANEL + b * STEP + c;
        noisy[at] = entries[at] + entryShift + rows[r * STEP + order[c]];
      }
    }
  }
  return noisy;
}

// Returns the tile after each of its 16 steps, and the state whose hash is the digest.
export function multiplyTile(left, right) {
  const tile = new Int32Array(ROWS * ROWS), state = new Uint32Array(ROWS), tiles = [];
  for (let b = 0; b < STEPS; b++) {
    for (let r = 0; r < ROWS; r++) {
      for (let c = 0; c < ROWS; c++) {
        let sum = 0;
        for (let k = b * STEP; k < (b + 1) * STEP; k++) sum += left[r * PANEL + k] * right[c * PANEL + k];
        tile[r * ROWS + c] += sum;
      }
    }
    for (let c = 0; c < ROWS; c++) {
      let fold = 0;
      for (let r = 0; r < ROWS; r++) fold ^= tile[r * ROWS + c];
      state[c] = ((state[c] << 13) | (state[c] >>> 19)) ^ fold;
    }
    tiles.push(tile.slice());
  }
  return { tiles, state };
}

export function computeDigest(seedX, state) {
  const bytes = new Uint8Array(4 * ROWS);
  state.forEach((word, c) => bytes.set(u32(word), 4 * c));
  return keyed(seedX, bytes);
}

const makeStep = (title, isOk, detail) => ({ title, isOk, detail });

function checkStrip(name, ref, strip, index, panel, path) {
  const panels = Math.ceil(ref.cols / PANEL), count = Math.ceil(ref.rows / ROWS) * panels;
  const steps = [makeStep(`${name}: the id is the hash of its shape and root`, areEqual(computeMatrixId(ref), ref.id),
    `${ref.rows} × ${ref.cols}, id ${toHex(ref.id)}`)];
  const leaf = index * panels + panel;
  let root = null, why = "";
  try {
    root = computeRootFromPath(hash("matrix strip", strip), leaf, count, path);
  } catch (error) {
    why = error.message;
  }
  steps.push(makeStep(`${name}: strip ${index}, panel ${panel} is in the committed matrix`,
    leaf < count && root !== null && areEqual(root, ref.root),
    why || `leaf ${leaf} of ${count}, ${path.length} hashes up to the root ${toHex(ref.root)}`));
  const entries = new Int8Array(strip.buffer, strip.byteOffset, strip.length);
  const isInside = entries.every((entry, at) => {
    const row = index * ROWS + Math.floor(at / PANEL), col = panel * PANEL + (at % PANEL);
    return row < ref.rows && col < ref.cols ? entry >= -64 && entry <= 63 : entry === 0;
  });
  steps.push(makeStep(`${name}: all entries are from −64 to 63, and padding is zero`, isInside, `${entries.length} entries checked`));
  return steps;
}

// Yields the steps of the check.
export function* verify(header, witness, blockId) {
  const { seal, anchor } = header;
  yield { ...makeStep("The header's hash is the block's id", toHex(header.id) === blockId, toHex(header.id)) };
  yield makeStep("The anchor is the hash of the header without its seal", true, toHex(anchor));
  yield makeStep("X and W have the same depth", seal.x.cols === seal.w.cols, `${seal.x.cols} and ${seal.w.cols} columns`);
  yield* checkStrip("X", seal.x, witness.xStrip, seal.i, seal.p, witness.xPath);
  yield* checkStrip("W", seal.w, witness.wStrip, seal.j, seal.p, witness.wPath);
  const { seedW, seedX } = computeSeeds(anchor, seal.w.id, seal.x.id);
  const left = addNoise(witness.xStrip, seedX, seal.i * ROWS, seal.p, 0, 64);
  const right = addNoise(witness.wStrip, seedW, seal.j * ROWS, seal.p, 64, 0);
  yield { ...makeStep("Noise derived from the anchor is added to both strips",
    left.every((v) => v >= 0 && v <= 254) && right.every((v) => v >= -128 && v <= 126),
    `seeds ${toHex(seedX).slice(0, 16)}… and ${toHex(seedW).slice(0, 16)}…`), left, right };
  const { tiles, state } = multiplyTile(left, right);
  yield { ...makeStep("The 16 × 16 tile is computed in 16 steps", true,
    Array.from(state.slice(0, 4), (word) => word.toString(16).padStart(8, "0")).join(" ") + " …"), tiles };
  const digest = computeDigest(seedX, state);
  yield makeStep("The digest of the tile equals the one in the seal", areEqual(digest, seal.digest), toHex(digest));
  const target = toBigInt(header.target);
  yield makeStep("The digest meets the target", toBigInt(digest) <= target,
    `at most ${target.toString(16).padStart(64, "0").slice(0, 24)}…`);
}
