// BLAKE3 after its specification: plain, keyed and derive-key hashing with extendable, seekable output.
// It is written for clarity. The tests check this file and the node against the same vectors.

const IV = Uint32Array.of(
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
);
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const CHUNK_BYTES = 1024;
const BLOCK_BYTES = 64;
const CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8, KEYED = 16, CONTEXT = 32, MATERIAL = 64;

function mix(v, a, b, c, d, x, y) {
  v[a] = v[a] + v[b] + x;
  v[d] = rotate(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = rotate(v[b] ^ v[c], 12);
  v[a] = v[a] + v[b] + y;
  v[d] = rotate(v[d] ^ v[a], 8);
  v[c] = v[c] + v[d];
  v[b] = rotate(v[b] ^ v[c], 7);
}

function rotate(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

// Returns 16 words; the first 8 are the next chaining value.
function compress(cv, block, counter, length, flags) {
  const v = new Uint32Array(16);
  v.set(cv);
  v.set(IV.subarray(0, 4), 8);
  v[12] = counter;
  v[13] = Math.floor(counter / 2 ** 32);
  v[14] = length;
  v[15] = flags;
  let m = block;
  for (let round = 0; ; round++) {
    mix(v, 0, 4, 8, 12, m[0], m[1]);
    mix(v, 1, 5, 9, 13, m[2], m[3]);
    mix(v, 2, 6, 10, 14, m[4], m[5]);
    mix(v, 3, 7, 11, 15, m[6], m[7]);
    mix(v, 0, 5, 10, 15, m[8], m[9]);
    mix(v, 1, 6, 11, 12, m[10], m[11]);
    mix(v, 2, 7, 8, 13, m[12], m[13]);
    mix(v, 3, 4, 9, 14, m[14], m[15]);
    if (round === 6) break;
    m = Uint32Array.from(PERMUTATION, (from) => m[from]);
  }
  for (let i = 0; i < 8; i++) {
    v[i] ^= v[i + 8];
    v[i + 8] ^= cv[i];
  }
  return v;
}

function readWords(bytes) {
  const words = new Uint32Array(16);
  for (let i = 0; i < bytes.length; i++) words[i >> 2] |= bytes[i] << (8 * (i & 3));
  return words;
}

function writeWords(words) {
  const bytes = new Uint8Array(4 * words.length);
  words.forEach((word, i) => {
    for (let k = 0; k < 4; k++) bytes[4 * i + k] = word >>> (8 * k);
  });
  return bytes;
}

// Returns a node of the tree, whose last compression is left to the caller because the root's differs.
function chunkNode(key, bytes, index, flags) {
  let cv = key;
  const blocks = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  for (let i = 0; ; i++) {
    const part = bytes.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    const own = flags | (i === 0 ? CHUNK_START : 0) | (i === blocks - 1 ? CHUNK_END : 0);
    const node = { cv, block: readWords(part), counter: index, length: part.length, flags: own };
    if (i === blocks - 1) return node;
    cv = close(node);
  }
}

function treeNode(key, bytes, index, flags) {
  if (bytes.length <= CHUNK_BYTES) return chunkNode(key, bytes, index, flags);
  let left = CHUNK_BYTES;
  while (2 * left < bytes.length) left *= 2;
  const block = new Uint32Array(16);
  block.set(close(treeNode(key, bytes.subarray(0, left), index, flags)));
  block.set(close(treeNode(key, bytes.subarray(left), index + left / CHUNK_BYTES, flags)), 8);
  return { cv: key, block, counter: 0, length: BLOCK_BYTES, flags: flags | PARENT };
}

function close(node) {
  return compress(node.cv, node.block, node.counter, node.length, node.flags).slice(0, 8);
}

function output(root, length, offset) {
  const found = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const counter = Math.floor((offset + at) / BLOCK_BYTES), skip = (offset + at) % BLOCK_BYTES;
    const piece = writeWords(compress(root.cv, root.block, counter, root.length, root.flags | ROOT)).subarray(skip);
    found.set(piece.subarray(0, length - at), at);
    at += piece.length;
  }
  return found;
}

const ascii = (text) => new TextEncoder().encode(text);

export function blake3(bytes, length = 32, offset = 0) {
  return output(treeNode(IV, bytes, 0, 0), length, offset);
}

export function keyed(key, bytes, length = 32, offset = 0) {
  return output(treeNode(readWords(key).subarray(0, 8), bytes, 0, KEYED), length, offset);
}

const contexts = new Map();

// H(context, bytes) of the protocol: derive-key mode with the context "inos v1 " + context.
export function hash(context, ...parts) {
  if (!contexts.has(context)) {
    const key = output(treeNode(IV, ascii("inos v1 " + context), 0, CONTEXT), 32, 0);
    contexts.set(context, readWords(key).subarray(0, 8));
  }
  return output(treeNode(contexts.get(context), join(...parts), 0, MATERIAL), 32, 0);
}

// Bytes [offset, offset + length) of the protocol's stream(seed, purpose).
export function stream(seed, purpose, length, offset = 0) {
  return keyed(seed, ascii(purpose), length, offset);
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
