// The JSON-RPC of this node: calls by POST, and subscriptions over one WebSocket that reconnects and resumes by itself.

export class RpcError extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.data?.code ?? "";
    this.hint = error.data?.hint ?? "";
  }
}

// The node gave no answer at all. The page says so, and tries again.
export class NodeDown extends Error {
  constructor(reason) {
    super(`The node at ${location.host} does not answer: ${reason}.`);
    this.hint = "It may be stopped, starting or restarting, or the connection to it is cut.";
    this.isDown = true;
  }
}

const TIMEOUT_MS = 60_000;
const RETRY_MS = [500, 1000, 2000, 5000];

export async function call(method, params = {}, { isShown = true } = {}) {
  if (isShown) record(method, params);
  const request = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  const answer = await read(request);
  if (answer.error) throw new RpcError(answer.error);
  return answer.result;
}

// Returns the answer as an object. Some errors have another HTTP status than 200; their bodies are answers too.
async function read(request) {
  let response;
  try {
    response = await fetch("/", request);
  } catch (error) {
    throw new NodeDown(error.name === "TimeoutError" ? `nothing came within ${TIMEOUT_MS / 1000} s` : "no connection was made");
  }
  try {
    return await response.json();
  } catch {
    throw new NodeDown(`it sent no JSON-RPC, but HTTP status ${response.status}`);
  }
}

// The calls of the page that is shown, which its reader can repeat. Of those that differ only in values the last is kept.
const MAX_RECORDED = 30;
let recorded = new Map(), onRecord = () => {};

export function startRecord(listener) {
  recorded = new Map();
  onRecord = listener;
}

function record(method, params) {
  const key = JSON.stringify([method, Object.keys(params), params.topic, params.by]);
  if (recorded.size >= MAX_RECORDED && !recorded.has(key)) return;
  const isKnown = JSON.stringify(recorded.get(key)?.params) === JSON.stringify(params);
  recorded.set(key, { method, params });
  if (isKnown) return;
  onRecord([...recorded.values()]);
}

// Subscriptions: {topic, params, onData, lastBlock, id}. After a reconnect, heads resume after `lastBlock`.
const subscriptions = new Set();
let socket = null, tries = 0, nextId = 1, onState = () => {};
const pending = new Map(), active = new Map();

export function onLiveState(listener) {
  onState = listener;
}

// Subscribes and returns a function that ends the subscription. `onData` is called with the data of each notification.
export function subscribe(topic, topicParams, onData) {
  const one = { topic, params: topicParams, onData, lastBlock: null, id: null };
  subscriptions.add(one);
  record("subscribe", { topic, ...topicParams });
  if (socket?.readyState === WebSocket.OPEN) start(one);
  else connect();
  return () => {
    subscriptions.delete(one);
    if (one.id !== null && socket?.readyState === WebSocket.OPEN) send("unsubscribe", { subscription: one.id });
    active.delete(one.id);
  };
}

// Draws a page again when blocks come, but not more often than every `pauseMs`, not twice at once, and not while the reader uses
// `holder`. `page.drawnAt` is the time of the last drawing. Returns a function that ends it and sets `page.isGone`.
export function redraw(page, holder, pauseMs, draw) {
  let isReading = false;
  const unsubscribe = subscribe("heads", {}, async () => {
    if (isReading || Date.now() - page.drawnAt < pauseMs || holder.contains(document.activeElement)) return;
    isReading = true;
    try {
      await draw(page);
    } finally {
      isReading = false;
    }
  });
  return () => {
    page.isGone = true;
    unsubscribe();
  };
}

function send(method, request) {
  const id = nextId++;
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: request }));
  return id;
}

function start(one) {
  const resume = one.lastBlock === null ? {} : { after: one.lastBlock };
  pending.set(send("subscribe", { topic: one.topic, ...one.params, ...(one.topic === "heads" ? resume : {}) }), one);
}

// Called when the page opens, so that the footer shows whether the node can be reached.
export function connect() {
  if (socket !== null) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.onopen = () => {
    tries = 0;
    onState("live");
    subscriptions.forEach(start);
  };
  socket.onmessage = (message) => receive(JSON.parse(message.data));
  socket.onclose = () => {
    socket = null;
    pending.clear();
    active.clear();
    onState("down");
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

// Passes data on to a page. What it then fails to read comes again with the next block; the state tells of it meanwhile.
async function pass(one, { data, height }) {
  if (one.topic === "heads") one.lastBlock = data.event === "connected" ? data.block.id : data.block.parent;
  try {
    await one.onData(data, height);
  } catch (error) {
    if (!(error instanceof RpcError || error instanceof NodeDown)) throw error;
    onState(error.isDown ? "down" : error.message);
  }
}

function receive(message) {
  if (message.method === "subscription") {
    const one = active.get(message.params.subscription);
    if (!one) return;
    if (message.params.error) onState(message.params.error.message);
    else pass(one, message.params);
    return;
  }
  const one = pending.get(message.id);
  pending.delete(message.id);
  if (!one) return;
  if (message.result) {
    one.id = message.result.subscription;
    active.set(one.id, one);
    if (!subscriptions.has(one)) send("unsubscribe", { subscription: one.id });
  } else if (one.lastBlock !== null) {
    one.lastBlock = null; // The last block is too old or was deleted, so start at the tip.
    start(one);
  }
}
