// The messages between a page and its node (docs/workers.md).

import { decode, encode, toBigInt } from "../bytes.js";
import { join } from "../blake3.js";

export const VERSION = 1, KIND_PAGE = 1, MAX_SHARES = 64, MAX_ROWS_BYTES = 256 * 1024;
const FILLER = 1;

// room: bytes that operands and rows of a piece may take; 0 for fillers only. down, up: bytes per second, 0 if not measured.
export function makeHello({ identity, address, threads, backend, speed, line, room }) {
  return encode([1, VERSION, identity, address, null, "", KIND_PAGE, backend, threads, speed, line.down, line.up, room]);
}

export function makeMeasured(speed, { down, up }) {
  return encode([2, speed, down, up]);
}

// shares: [{nonce, i, j, p, digest}], at most 64.
export function makeResult({ assignment, template, drawn, shares, isLast = false }) {
  const list = shares.map(({ nonce, i, j, p, digest }) => [nonce, i, j, p, digest]);
  return encode([3, assignment, template, drawn, list, isLast]);
}

// data: at most 256 KiB of a piece's rows, from byte `offset` on.
export function makeRows(assignment, offset, data) {
  return encode([4, assignment, offset, data]);
}

export function makeGetRun(id, index) {
  return encode([5, id, index]);
}

export function makeDeclined(assignment, reason) {
  return encode([6, assignment, reason.slice(0, 200)]);
}

const READERS = {
  16: ([, version, network, hrp, genesis, beneficiary, prefix]) =>
    ({ kind: "welcome", version, network, hrp, genesis, beneficiary, prefix }),
  17: readTemplate,
  18: ([, number, target, [kind, ...work]]) =>
    ({ kind: "assignment", number, target, ...(kind === FILLER ? readFiller(work) : readPiece(work)) }),
  19: ([, assignment, counted, [shares, tickets, unpaid, paid]]) =>
    ({ kind: "ack", assignment, counted, totals: { shares: BigInt(shares), tickets: BigInt(tickets), unpaid: BigInt(unpaid), paid: BigInt(paid) } }),
  20: ([, id, index, data, path]) => ({ kind: "run", id, index, data, path }),
  21: ([, assignment]) => ({ kind: "cancelled", assignment }),
  22: ([, code, message, retryS]) => ({ kind: "refused", code, message, retryS }),
};

function readFiller([seed, rowsX, rowsW, depth]) {
  return { filler: { seed, rowsX, rowsW, depth }, piece: null };
}

function readPiece([x, w, first, last, wantsRows]) {
  const readRef = ([id, rows, cols, root]) => ({ id, rows, cols, root });
  return { filler: null, piece: { x: readRef(x), w: readRef(w), first, last, wantsRows } };
}

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
