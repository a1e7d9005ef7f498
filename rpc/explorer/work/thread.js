// A Web Worker: it draws tickets with one kernel, of the newest template and assignment, until it is terminated. While there
// is a piece, it multiplies its part of that instead.

import { hash, join } from "../blake3.js";
import { toHex } from "../bytes.js";
import { Card, findCard } from "./card.js";
import { Kernel } from "./kernel.js";
import { widerTarget } from "./messages.js";
import { PieceKernel } from "./piecekernel.js";

const REPORT_MS = 250;
const COUNT_BITS = 20; // of a nonce; above them stand the number of the thread and the connection's prefix

let engine = null, thread = 0, pace = 1, template = null, assignment = null, opened = "";
let module = null, pieceKernel = null, piece = null;
let count = 0, wake = () => {};
let report = null, reportedAt = 0;

const HANDLERS = {
  // {module, thread, source}: `source` is the text of kernel.wgsl for the thread that drives the graphics card.
  async start(said) {
    thread = said.thread;
    module = said.module;
    const kernel = new Kernel(said.module);
    if (said.source === null) engine = kernel;
    else {
      const card = await findCard(said.acceptsSoftware);
      if (!card) throw new Error("the graphics card is gone");
      engine = await Card.open(card.adapter, said.source, kernel);
    }
    await run();
  },
  // {prefix, number, head, winTarget}: `head` is all of the header that comes before the nonce.
  template(said) {
    template = said;
    count = 0;
  },
  // {number, target, filler}; without a filler there is nothing to do now.
  assignment(said) {
    assignment = said.filler === null ? null : said;
  },
  idle() {
    template = assignment = piece = null;
  },
  // {serial, number, target, ids, last, part, data}: a part {name, firstW, rowsW, cols} of W; `data` is null if it is here.
  piece(said) {
    piece = { ...said, strips: [], template: null };
    try {
      pieceKernel ??= new PieceKernel(module);
      if (said.data !== null) pieceKernel.open(said.part, said.data);
      if (pieceKernel.name !== said.part.name) throw new Error("a thread lost its part of W");
      piece.data = null;
    } catch (error) {
      refuse(error);
    }
  },
  // {serial, first, last, rows, data}: strips of X.
  strips(said) {
    if (piece?.serial === said.serial) piece.strips.push(said);
  },
  drop() {
    piece = null;
  },
  forget() {
    pieceKernel = null;
  },
  // The part of the time in which it computes, above 0.
  pace(said) {
    pace = said.pace;
  },
};

onmessage = ({ data }) => {
  const done = HANDLERS[data.kind](data);
  wake();
  done?.catch((error) => postMessage({ kind: "failed", message: error.message }));
};

async function run() {
  for (;;) {
    if (template === null || count === 2 ** COUNT_BITS) await change();
    else if (piece?.strips.length) await multiplyStrips(piece, piece.strips.shift());
    else if (piece || assignment === null) await change();
    else await drawProduct(template, assignment);
  }
}

function refuse(error) {
  postMessage({ kind: "refused", serial: piece.serial, message: error.message });
  piece = null;
}

// Multiplies strips of X by the part of W, under the newest template, and hands over their rows.
async function multiplyStrips(own, { first, last, rows, data }) {
  if (own.template !== template) {
    own.template = template;
    [own.nonce, own.anchor] = nextAnchor(template);
    pieceKernel.start(own.ids, own.anchor, widerTarget(own.target, template.winTarget));
  }
  const { template: under, nonce } = own;
  pieceKernel.placeX(first, rows, data);
  for (let panel = 0; panel < pieceKernel.panels; panel++) {
    const before = performance.now(), wins = pieceKernel.mine(first, last, panel);
    note(under, own, (last - first) * pieceKernel.strips, wins.map((win) => ({ nonce, ...win })));
    await rest(performance.now() - before);
    if (piece !== own) return;
  }
  const made = pieceKernel.readRows();
  if (last === own.last) {
    piece = null;
    if (report) send(); // before the rows, after which the piece is done
  }
  postMessage({ kind: "rows", serial: own.serial, first, rows: made }, [made.buffer]);
}

// Returns a nonce that was not used under this template, and its anchor.
function nextAnchor({ prefix, head }) {
  const nonce = (BigInt(prefix) << 32n) | BigInt(thread * 2 ** COUNT_BITS + count++);
  return [nonce, hash("anchor", join(head, encodeNonce(nonce)))];
}

// Draws the tickets of one nonce, and leaves off when there is a newer template or assignment.
async function drawProduct(own, work) {
  const { seed, rowsX, rowsW, depth } = work.filler, name = [toHex(seed), rowsX, rowsW, depth].join();
  if (opened !== name) engine.open(work.filler);
  opened = name;
  const [nonce, anchor] = nextAnchor(own);
  const target = widerTarget(work.target, own.winTarget);
  let before = performance.now();
  for await (const { drawn, wins } of engine.draw(anchor, target)) {
    note(own, work, drawn, wins.map((win) => ({ nonce, ...win })));
    await rest(performance.now() - before);
    before = performance.now();
    if (template !== own || assignment !== work || piece) break;
  }
}

// A prefix is at least 2^31, so that the nonce always takes eight bytes.
function encodeNonce(nonce) {
  const bytes = new Uint8Array(9);
  bytes[0] = 0xcf;
  new DataView(bytes.buffer).setBigUint64(1, nonce);
  return bytes;
}

// Adds to the report of this template and assignment, and sends it if it holds shares, is old, or belongs to others.
function note(own, work, drawn, shares) {
  if (report && (report.template !== own.number || report.assignment !== work.number)) send();
  report ??= { kind: "drawn", prefix: own.prefix, template: own.number, assignment: work.number, drawn: 0, shares: [] };
  report.drawn += drawn;
  report.shares.push(...shares);
  if (report.shares.length || performance.now() - reportedAt > REPORT_MS) send();
}

function send() {
  postMessage(report);
  report = null;
  reportedAt = performance.now();
}

// Lets messages in, and rests so that computing takes no more than its part of the time.
const channel = new MessageChannel();
function rest(worked) {
  if (pace < 1) return new Promise((done) => setTimeout(done, worked * (1 / pace - 1)));
  return new Promise((done) => {
    channel.port1.onmessage = done;
    channel.port2.postMessage(null);
  });
}

function change() {
  return new Promise((done) => { wake = done; });
}
