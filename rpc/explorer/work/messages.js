// The messages between a page and its node (docs/workers.md).

import { decode, encode, toBigInt } from "../bytes.js";
import { join } from "../blake3.js";

export const VERSION = 1, KIND_PAGE = 1, MAX_SHARES = 64;
const FILLER = 1;

export function makeHello({ identity, address, threads, backend, speed }) {
  // A page takes no pieces, so that it needs no room and no line.
  return encode([1, VERSION, identity, address, null, "", KIND_PAGE, backend, threads, speed, 0, 0, 0]);
}

export function makeMeasured(speed) {
  return encode([2, speed, 0, 0]);
}

// shares: [{nonce, i, j, p, digest}], at most 64.
export function makeResult({ assignment, template, drawn, shares }) {
  return encode([3, assignment, template, drawn, shares.map(({ nonce, i, j, p, digest }) => [nonce, i, j, p, digest]), false]);
}

export function makeDeclined(assignment, reason) {
  return encode([6, assignment, reason.slice(0, 200)]);
}

const READERS = {
  16: ([, version, network, hrp, genesis, beneficiary, prefix]) =>
    ({ kind: "welcome", version, network, hrp, genesis, beneficiary, prefix }),
  17: readTemplate,
  18: ([, number, target, [kind, seed, rowsX, rowsW, depth]]) =>
    ({ kind: "assignment", number, target, filler: kind === FILLER ? { seed, rowsX, rowsW, depth } : null }),
  19: ([, assignment, counted, [shares, tickets, unpaid, paid]]) =>
    ({ kind: "ack", assignment, counted, totals: { shares: BigInt(shares), tickets: BigInt(tickets), unpaid: BigInt(unpaid), paid: BigInt(paid) } }),
  21: ([, assignment]) => ({ kind: "cancelled", assignment }),
  22: ([, code, message, retryS]) => ({ kind: "refused", code, message, retryS }),
};

// `head` is the part of the hashed header that comes before the nonce: ten fields in place of nine, without the last.
function readTemplate(fields, bytes) {
  const [, number, header, winTarget] = fields;
  const [, , height, parent, timeMs, , , , beneficiary] = header;
  const head = join(Uint8Array.of(0x9a), bytes.slice(fields.ends[1] + 1, header.ends[8]));
  return { kind: "template", number, head, winTarget, height: BigInt(height), parent, timeMs, beneficiary };
}

export function readMessage(bytes) {
  const fields = decode(bytes);
  const reader = READERS[fields[0]];
  if (!reader) throw new Error(`the node sent a message of the unknown kind ${fields[0]}`);
  return reader(fields, bytes);
}

// Of two targets, the one that more tickets meet: a ticket that wins the block is told even if it is no share.
export function widerTarget(a, b) {
  return toBigInt(a) > toBigInt(b) ? a : b;
}
