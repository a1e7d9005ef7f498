// Checks that a state record is under a block's state root, without requests to the node (docs/protocol.md, section 4).

import { hash } from "./blake3.js";
import { areEqual, decode, fromHex, toHex } from "./bytes.js";

const ACCOUNT = 1, PATH_BITS = 256;
const EMPTY = new Uint8Array(32);

const getBit = (path, depth) => (path[depth >> 3] >> (7 - (depth & 7))) & 1;

// Returns the root to which a proof of the RPC leads, or null if it proves nothing. `value` is null for an absent record. The
// siblings come from just below the root downwards.
export function computeStateRoot({ key, value, siblings, other_path, other_value }) {
  const path = hash("state key", fromHex(key)), depth = siblings.length;
  if (depth > PATH_BITS) return null;
  let node = EMPTY;
  if (value !== null) {
    if (other_path !== null) return null;
    node = hash("state leaf", path, fromHex(value));
  } else if (other_path !== null) {
    const other = fromHex(other_path);
    const isNeighbour = Array.from({ length: depth }, (_, at) => getBit(path, at) === getBit(other, at)).every(Boolean);
    if (!isNeighbour || areEqual(path, other)) return null;
    node = hash("state leaf", other, fromHex(other_value));
  }
  for (let level = depth - 1; level >= 0; level -= 1) {
    const beside = fromHex(siblings[level]);
    node = getBit(path, level) ? hash("state node", beside, node) : hash("state node", node, beside);
  }
  return node;
}

// Yields the steps of the check of an account that state_getAccount returned with a proof.
export function* verifyAccount(account, address, header, blockId) {
  const { proof } = account;
  const step = (title, isOk, detail) => ({ title, isOk, detail });
  yield step("The header's hash is the block's id", toHex(header.id) === blockId, blockId);
  yield step("The proof is for the state root in this header", toHex(header.stateRoot) === proof.state_root, proof.state_root);
  const key = toHex(Uint8Array.of(ACCOUNT, ...address));
  yield step("The record's key is the address", proof.key === key, key);
  const root = computeStateRoot(proof);
  yield step("The record's path leads to the state root", root !== null && areEqual(root, header.stateRoot),
    `${proof.siblings.length} hashes, ${proof.value === null ? "and no record in this place" : `record ${proof.value.slice(0, 24)}…`}`);
  const [nonce, balance, bonded] = proof.value === null ? [0, 0, 0] : decode(fromHex(proof.value));
  yield step("The record says what this page shows", BigInt(nonce) === BigInt(account.nonce) && BigInt(balance) === BigInt(account.balance)
    && BigInt(bonded) === BigInt(account.bonded), `${balance} nano, ${bonded} nano bonded, ${nonce} transactions sent`);
}
