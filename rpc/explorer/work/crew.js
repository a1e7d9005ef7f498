// The Web Workers of a page: as many threads as wanted, and one for the graphics card. They get templates and
// assignments, and their reports are added up.

const MAX_THREADS = 4096; // numbers of threads in a nonce
const RATE_MS = 5000; // the rate is that of the last seconds

export async function loadModule() {
  return WebAssembly.compileStreaming(fetch("kernel.wasm"));
}

export class Crew {
  // onReport(report) is called with each report, onFailed(message) if a thread gave up, onCardFailed(message) if the
  // graphics card did.
  constructor({ module, source, onReport, onFailed, onCardFailed }) {
    Object.assign(this, { module, source, onReport, onFailed, onCardFailed });
    this.threads = [];
    this.card = null;
    this.pace = 1;
    this.next = 0;
    this.template = this.assignment = null;
    this.samples = [];
    this.drawn = 0;
    this.since = performance.now();
    // What the threads say of pieces goes to onPiece(thread, said); onResize() is called when threads came or went.
    this.onPiece = this.onResize = () => {};
  }

  // Starts or ends Web Workers until `count` of them compute, and one more with the graphics card if wanted.
  resize(count, withCard = false) {
    while (this.threads.length > count) this.threads.pop().terminate();
    while (this.threads.length < count) this.threads.push(this.begin(null));
    if (withCard && !this.card) this.card = this.begin(this.source);
    if (!withCard) {
      this.card?.terminate();
      this.card = null;
    }
    this.onResize();
  }

  // A thread's number is part of its nonces, so no two threads of one connection have the same.
  get isExhausted() {
    return this.next >= MAX_THREADS;
  }

  begin(source) {
    const worker = new Worker("thread.js", { type: "module" });
    const fail = source === null ? this.onFailed : this.onCardFailed;
    worker.onmessage = ({ data }) => {
      if (data.kind === "drawn") this.take(data, source !== null);
      else if (data.kind === "failed") fail(data.message);
      else this.onPiece(worker, data);
    };
    worker.onerror = (event) => fail(event.message || "a thread could not be started");
    worker.postMessage({ kind: "start", module: this.module, thread: this.next++, source });
    worker.postMessage({ kind: "pace", pace: this.pace });
    if (this.template) worker.postMessage(this.template);
    if (this.assignment) worker.postMessage(this.assignment);
    return worker;
  }

  tell(message) {
    for (const worker of [...this.threads, ...(this.card ? [this.card] : [])]) worker.postMessage(message);
  }

  setPace(pace) {
    this.pace = pace;
    this.tell({ kind: "pace", pace });
  }

  setTemplate({ prefix, number, head, winTarget }) {
    this.template = { kind: "template", prefix, number, head, winTarget };
    this.tell(this.template);
  }

  // Null lets all threads wait for the next one.
  setAssignment(assignment) {
    if (assignment === null) this.assignment = { kind: "assignment", filler: null };
    else this.assignment = { kind: "assignment", number: assignment.number, target: assignment.target, filler: assignment.filler };
    this.tell(this.assignment);
  }

  // Lets all threads wait until there is a template again.
  pause() {
    this.template = this.assignment = null;
    this.tell({ kind: "idle" });
  }

  take(report, isCard) {
    this.drawn += report.drawn;
    this.samples.push([performance.now(), report.drawn, isCard]);
    this.onReport(report);
  }

  // Tickets per second; those of the threads alone, which do pieces, without the card.
  getRate(withCard = true) {
    const now = performance.now(), passed = Math.min(RATE_MS, now - this.since);
    this.samples = this.samples.filter(([at]) => at > now - RATE_MS);
    const counted = this.samples.filter(([, , isCard]) => withCard || !isCard);
    return (1000 * counted.reduce((sum, [, drawn]) => sum + drawn, 0)) / Math.max(passed, 1);
  }

  end() {
    this.onResize = () => {};
    this.resize(0, false);
  }
}
