// The connection of a page to its node's path /work: it connects again by itself, and hands results over in time.

import { areEqual, toBigInt } from "../bytes.js";
import { makeHello, makeMeasured, makeResult, makeRows, MAX_ROWS_BYTES, MAX_SHARES, readMessage, VERSION } from "./messages.js";
import { openSocket } from "./socket.js";

const RETRY_S = [1, 2, 4, 8, 16, 32, 60];
const GAP_MS = 150; // between two Results: a node allows ten a second
const QUIET_MS = 5000; // after which tickets are told without shares
const MEASURE_MS = 10_000; // a node allows one in five seconds
const MEASURE_AT_S = [3, 30, 300]; // the line, after the connection began
const KEPT_TARGETS = 16;
const FINAL_S = 300; // a node that refuses for so long is not asked again by itself
const STATES = { none: "stopped", opening: "connecting …", open: "working" };

// `listener` has the functions onState(text, isBad), onWelcome(welcome), onTemplate(template), onAssignment(assignment),
// onCancelled(), onTotals(totals, counted), onClosed(), and onEnded(text) when it does not connect again.
export class Connection {
  // `pieces` is a Pieces.
  constructor({ identity, address, threads, backend, listener, pieces }) {
    Object.assign(this, { identity, address, threads, backend, listener, pieces });
    this.socket = null;
    this.tries = 0;
    this.isOver = false;
    this.results = [];
    this.speed = this.pieceSpeed = 0; // tickets per second, in all and of the threads, which do pieces
    this.timers = [];
    this.open();
  }

  open() {
    this.forget();
    this.listener.onState(STATES.opening, false);
    const socket = openSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/work`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(makeHello({ ...this, room: this.pieces.room, line: this.pieces.line }));
    socket.onmessage = ({ data }) => this.isOver || this.receive(new Uint8Array(data));
    socket.onclose = () => socket === this.socket && this.lose();
    this.socket = socket;
  }

  // Ends the connection for good.
  close() {
    this.isOver = true;
    clearTimeout(this.retry);
    this.flush(true);
    this.forget();
    this.socket.close();
  }

  forget() {
    this.timers.forEach(clearInterval);
    this.timers = [];
    this.results = [];
    this.targets = new Map(); // of shares, by assignment
    this.won = new Set(); // templates of which a win was told
    this.filler = undefined; // the number of its assignment
    this.acks = []; // what waits for the answer to each Result
    this.template = 0;
    this.welcome = null;
    this.refusal = null;
  }

  lose() {
    const refusal = this.refusal, wasWelcome = this.welcome !== null;
    this.forget();
    if (this.isOver) return;
    this.listener.onClosed();
    if (refusal?.retryS >= FINAL_S) {
      this.isOver = true;
      return this.listener.onEnded(`the node refused: ${refusal.message}`);
    }
    const seconds = refusal?.retryS || RETRY_S[Math.min(this.tries++, RETRY_S.length - 1)];
    const why = refusal ? `the node refused: ${refusal.message}` : wasWelcome ? "the node closed the connection"
      : "the node cannot be reached, or takes no workers";
    this.listener.onState(`${why}; trying again in ${seconds} s`, true);
    this.retry = setTimeout(() => this.open(), 1000 * seconds);
  }

  receive(bytes) {
    let message;
    try {
      message = readMessage(bytes);
      this.handle(message);
    } catch (error) {
      this.isOver = true;
      this.listener.onEnded(`the node's message cannot be used: ${error.message}`);
    }
  }

  handle(message) {
    switch (message.kind) {
      case "welcome":
        if (message.version !== VERSION) throw new Error(`it speaks version ${message.version} of the protocol`);
        this.welcome = message;
        this.tries = 0;
        this.begin();
        this.listener.onWelcome(message);
        this.listener.onState(STATES.open, false);
        break;
      case "template":
        if (!areEqual(message.beneficiary, this.welcome.beneficiary)) {
          throw new Error("a header pays another address than the node told at first");
        }
        this.template = message.number;
        this.listener.onTemplate({ ...message, prefix: this.welcome.prefix });
        break;
      case "assignment":
        this.addTarget(message);
        if (message.filler) this.listener.onAssignment(message);
        else this.pieces.take(message, this);
        break;
      case "run":
        this.pieces.addRun(message);
        break;
      case "cancelled": // A piece that was declined may be cancelled too.
        if (message.assignment === this.filler) this.listener.onCancelled();
        else this.pieces.cancel(message.assignment);
        break;
      case "ack":
        this.acks.shift()?.();
        this.listener.onTotals(message.totals, message.counted);
        break;
      case "refused":
        this.refusal = message;
        break;
      default:
        throw new Error(`it is ${message.kind}`);
    }
  }

  begin() {
    this.toldAt = this.measuredAt = this.flushedAt = performance.now();
    this.timers = [setInterval(() => this.flush(false), GAP_MS)];
    // A line that could not be measured stays as it is known.
    for (const seconds of MEASURE_AT_S) this.timers.push(setTimeout(() => this.measureLine().catch(() => {}), 1000 * seconds));
  }

  // Remembers the share targets of the filler and of the newest pieces.
  addTarget({ number, target, filler }) {
    if (filler) this.filler = number;
    this.targets.set(number, toBigInt(target));
    for (const old of this.targets.keys()) if (this.targets.size > KEPT_TARGETS && old !== this.filler) this.targets.delete(old);
  }

  // Measures the line, if the page takes pieces at all. Without a measurement it gets none.
  async measureLine() {
    if (!this.pieces.room || this.filler === undefined || this.pieces.now) return;
    await this.pieces.line.measure((count) => this.sendIgnoredRows(count));
    this.measuredAt = -MEASURE_MS; // it is told soon
  }

  // Sends Rows of the filler, which the node ignores, and resolves when it has read them.
  sendIgnoredRows(count) {
    for (let at = 0; at < count; at++) this.send(makeRows(this.filler, 0, new Uint8Array(MAX_ROWS_BYTES)));
    return this.sendResult({ assignment: this.filler, template: this.template, drawn: 0, shares: [] });
  }

  // Takes what a thread drew. Reports of an earlier connection are worth nothing.
  add({ prefix, template, assignment, drawn, shares }) {
    if (prefix !== this.welcome?.prefix) return;
    let last = this.results.find((one) => one.template === template && one.assignment === assignment);
    if (!last) this.results.push((last = { template, assignment, drawn: 0, shares: [] }));
    last.drawn += drawn;
    last.shares.push(...shares.filter((share) => this.isWanted(share, assignment, template)));
    // Browsers run the timers of a page in the background once a minute, but hand over what threads say.
    if (performance.now() - this.flushedAt > GAP_MS) this.flush(false);
  }

  // A node wants to know all shares, and of tickets that win but are no shares the first of each template.
  isWanted({ digest }, assignment, template) {
    const target = this.targets.get(assignment);
    if (target === undefined) return false; // it is of a piece of long ago
    if (toBigInt(digest) <= target) return true;
    if (this.won.has(template)) return false;
    this.won.add(template);
    return true;
  }

  // Sends one Result: that of an earlier template or assignment first, the newest if it has shares or is due.
  flush(isAll) {
    this.flushedAt = performance.now();
    this.pieces.pump();
    const isDue = performance.now() - this.toldAt > QUIET_MS;
    while (this.results.length) {
      const [oldest] = this.results;
      if (this.results.length === 1 && !oldest.shares.length && !isDue && !isAll) break;
      this.sendOldest();
      if (!isAll) break;
    }
    if (performance.now() - this.measuredAt > MEASURE_MS && this.pieceSpeed > 0) {
      this.measuredAt = performance.now();
      this.send(makeMeasured(this.pieceSpeed, this.pieces.line));
    }
  }

  sendOldest() {
    const [one] = this.results, shares = one.shares.splice(0, MAX_SHARES);
    this.sendResult({ ...one, shares });
    one.drawn = 0;
    if (!one.shares.length) this.results.shift();
  }

  // Resolves when the node has answered.
  sendResult(result) {
    this.send(makeResult(result));
    this.toldAt = performance.now();
    return new Promise((done) => this.acks.push(done));
  }

  // Says that all rows of a piece were sent, after all of its tickets were told.
  finishPiece(number) {
    while (this.results.some((one) => one.assignment === number)) this.sendOldest();
    return this.sendResult({ assignment: number, template: this.template, drawn: 0, shares: [], isLast: true });
  }

  // Returns the bytes that wait in the socket.
  getBuffered() {
    return this.socket.bufferedAmount;
  }

  send(bytes) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(bytes);
  }
}
