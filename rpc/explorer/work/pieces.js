// A piece of a product: the page fetches its operands, lets each thread multiply by a part of W, and sends the rows in order.

import { toHex } from "../bytes.js";
import { Line } from "./line.js";
import { makeDeclined, makeGetRun, makeRows, MAX_ROWS_BYTES } from "./messages.js";
import { Operand, RunHasher, STRIP_ROWS } from "./operands.js";

const ASKED_RUNS = 8; // at a time, as the node allows
const BATCH = 8; // strips of X that a thread multiplies at once
const AHEAD = 2; // batches that wait for each thread
const MAX_BUFFERED = 1 << 20; // bytes that wait in the socket
const PUMP_MS = 10, KEPT_MS = 30_000;
const USUAL_GIB = 2; // of a browser that does not say how much memory there is

// Returns how many bytes operands and rows of a piece may take: a sixteenth of the machine's memory. With the packed copies
// in the threads a piece takes up to three times as much.
export function chooseRoom({ deviceMemory, connection } = navigator) {
  return connection?.saveData ? 0 : Math.floor(((deviceMemory || USUAL_GIB) * 2 ** 30) / 16);
}

// Has one piece at a time.
export class Pieces {
  // onChange(isDone) is called when a piece begins or ends.
  constructor({ module, room, crew, onChange }) {
    Object.assign(this, { room, crew, onChange, hasher: new RunHasher(module), line: new Line() });
    this.kept = new Map(); // operands by id
    this.held = new WeakMap(); // what part of W a thread has
    this.now = null;
    this.serial = 0;
    this.timer = this.forgetting = null;
    crew.onPiece = (thread, said) => this.hear(thread, said);
    crew.onResize = () => this.now?.parts && this.begin();
  }

  // Begins with a piece. `port` has send(bytes), getBuffered(), and finishPiece(number), which resolves with the node's Ack.
  take({ number, target, piece }, port) {
    this.drop();
    clearTimeout(this.forgetting);
    try {
      const x = this.open(piece.x), w = this.open(piece.w);
      this.check(piece);
      for (const id of this.kept.keys()) if (id !== toHex(piece.x.id) && id !== toHex(piece.w.id)) this.kept.delete(id);
      if (x !== w) x.keep(x.listRuns(piece.first, piece.last));
      this.now = { number, target, port, x, w, first: piece.first, last: piece.last, wantsRows: piece.wantsRows };
    } catch (error) {
      return port.send(makeDeclined(number, error.message));
    }
    const { x, w } = this.now, wanted = new Map();
    for (const [operand, indexes] of [[x, x.listRuns(piece.first, piece.last)], [w, w.listRuns(0, w.strips)]]) {
      for (const index of indexes) if (!operand.runs.has(index)) wanted.set(nameRun(operand.ref.id, index), { operand, index });
    }
    Object.assign(this.now, { missing: [...wanted], asked: new Map(), fetched: 0, began: performance.now() });
    Object.assign(this.now, { done: piece.first, pending: new Map(), queue: [], offset: 0, parts: null });
    this.onChange(false);
    this.ask();
  }

  open(ref) {
    const fresh = new Operand(ref, this.hasher), name = toHex(ref.id);
    if (!this.kept.has(name)) this.kept.set(name, fresh);
    return this.kept.get(name);
  }

  check({ x, w, first, last }) {
    if (x.cols !== w.cols || first >= last || last > Math.ceil(x.rows / STRIP_ROWS)) throw new Error("the piece does not fit together");
    const size = w.rows * w.cols + (last - first) * STRIP_ROWS * (x.cols + 4 * w.rows);
    if (size > this.room) throw new Error(`the piece takes ${size} bytes, and this page has room for ${this.room}`);
  }

  // Asks for runs, or begins to multiply once all are here.
  ask() {
    const { missing, asked, port } = this.now;
    while (missing.length && asked.size < ASKED_RUNS) {
      const [name, run] = missing.shift();
      asked.set(name, run);
      port.send(makeGetRun(run.operand.ref.id, run.index));
    }
    if (asked.size) return;
    this.line.note("down", this.now.fetched, performance.now() - this.now.began);
    this.begin();
  }

  addRun({ id, index, data, path }) {
    const name = nameRun(id, index), run = this.now?.asked.get(name);
    if (!run) return; // it is of a piece that was taken back
    try {
      run.operand.add(index, data, path);
    } catch (error) {
      return this.decline(error.message);
    }
    this.now.asked.delete(name);
    this.now.fetched += data.length;
    this.ask();
  }

  // Gives each thread a part of W, and the first strips of X that were not multiplied yet.
  begin() {
    const { now } = this, { w, number, target, x } = now;
    const threads = this.crew.threads.slice(0, w.strips);
    Object.assign(now, { serial: ++this.serial, pending: new Map() });
    now.parts = threads.map((thread, at) => {
      const firstW = Math.floor((at * w.strips) / threads.length), lastW = Math.floor(((at + 1) * w.strips) / threads.length);
      const rowsW = Math.min(lastW * STRIP_ROWS, w.ref.rows) - firstW * STRIP_ROWS;
      const name = [toHex(w.ref.id), firstW, rowsW].join(), data = this.held.get(thread) === name ? null : w.cut(firstW, lastW);
      this.held.set(thread, name);
      const ids = [x.ref.id, w.ref.id], part = { name, firstW, rowsW, cols: w.ref.cols };
      thread.postMessage({ kind: "piece", serial: now.serial, number, target, ids, last: now.last, part, data }, data ? [data.buffer] : []);
      return { thread, firstW, rowsW, next: now.done };
    });
    for (const part of now.parts) for (let at = 0; at < AHEAD; at++) this.feed(part);
  }

  feed(part) {
    const { x, last: end, serial } = this.now, first = part.next, last = Math.min(first + BATCH, end);
    if (first >= end) return;
    part.next = last;
    const data = x.cut(first, last);
    part.thread.postMessage({ kind: "strips", serial, first, last, rows: this.countRows(first, last), data }, [data.buffer]);
  }

  countRows(first, last) {
    return Math.min(last * STRIP_ROWS, this.now.x.ref.rows) - first * STRIP_ROWS;
  }

  // Takes what a thread says of its part: {kind: "rows", serial, first, rows} or {kind: "refused", serial, message}.
  hear(thread, said) {
    if (said.serial !== this.now?.serial) return;
    if (said.kind === "refused") return this.decline(said.message);
    const { now } = this, part = now.parts.find((one) => one.thread === thread);
    this.join(part, said.first, said.rows);
    this.feed(part);
    for (let batch; (batch = now.pending.get(now.done))?.left === 0; ) {
      now.pending.delete(now.done);
      now.done = Math.min(now.done + BATCH, now.last);
      if (now.wantsRows) now.queue.push(batch.rows);
    }
    if (now.done === now.last) now.computed = { at: performance.now(), left: this.countQueued() };
    this.pump();
  }

  // Copies the rows of a thread's part of W to their places.
  join(part, first, rows) {
    const { now } = this, count = this.countRows(first, Math.min(first + BATCH, now.last));
    const stride = 4 * now.w.ref.rows, width = 4 * part.rowsW, left = 4 * part.firstW * STRIP_ROWS;
    if (!now.pending.has(first)) now.pending.set(first, { rows: new Uint8Array(count * stride), left: now.parts.length });
    const batch = now.pending.get(first);
    for (let row = 0; row < count; row++) batch.rows.set(rows.subarray(row * width, (row + 1) * width), row * stride + left);
    batch.left--;
  }

  countQueued() {
    return this.now.port.getBuffered() + this.now.queue.reduce((sum, rows) => sum + rows.length, 0);
  }

  // Sends rows while the socket takes them, and ends the piece after the last one.
  pump() {
    const { now } = this;
    if (!now) return;
    while (now.queue.length && now.port.getBuffered() < MAX_BUFFERED) {
      const rows = now.queue.shift(), part = rows.subarray(0, MAX_ROWS_BYTES);
      now.port.send(makeRows(now.number, now.offset, part));
      now.offset += part.length;
      if (part.length < rows.length) now.queue.unshift(rows.subarray(part.length));
    }
    if (now.queue.length) this.wait();
    else if (now.computed) this.finish();
  }

  wait() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.pump();
    }, PUMP_MS);
  }

  finish() {
    const { number, port, computed: { at, left } } = this.now;
    this.now = null;
    this.forgetLater();
    port.finishPiece(number).then(() => this.line.note("up", left, performance.now() - at));
    this.onChange(true);
  }

  // Takes back a piece that the node cancelled.
  cancel(number) {
    if (this.now?.number === number) this.drop();
  }

  decline(reason) {
    this.now.port.send(makeDeclined(this.now.number, reason));
    this.drop();
  }

  drop() {
    if (this.now?.parts) this.crew.threads.forEach((thread) => thread.postMessage({ kind: "drop" }));
    if (!this.now) return;
    this.now = null;
    this.forgetLater();
    this.onChange(false);
  }

  // Without another piece for a while, the threads give back their memory.
  forgetLater() {
    clearTimeout(this.forgetting);
    this.forgetting = setTimeout(() => {
      this.held = new WeakMap();
      this.crew.threads.forEach((thread) => thread.postMessage({ kind: "forget" }));
    }, KEPT_MS);
  }

  end() {
    this.now = null;
    clearTimeout(this.forgetting);
    clearTimeout(this.timer);
  }
}

function nameRun(id, index) {
  return `${toHex(id)}:${index}`;
}
