// The JSON-RPC of this node: calls by POST, and subscriptions over one WebSocket that reconnects and resumes by itself.

export class RpcError extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.data?.code ?? "";
    this.hint = error.data?.hint ?? "";
  }
}

const TIMEOUT_MS = 60_000;
const RETRY_MS = [500, 1000, 2000, 5000];

export async function call(method, params = {}) {
  const response = await fetch("/", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const answer = await response.json();
  if (answer.error) throw new RpcError(answer.error);
  return answer.result;
}

let params = null;
export async function getParams() {
  params ??= await call("chain_getParams");
  return params;
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
  if (socket?.readyState === WebSocket.OPEN) start(one);
  else connect();
  return () => {
    subscriptions.delete(one);
    if (one.id !== null && socket?.readyState === WebSocket.OPEN) send("unsubscribe", { subscription: one.id });
    active.delete(one.id);
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
    onState("not connected; reconnecting …");
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

function receive(message) {
  if (message.method === "subscription") {
    const one = active.get(message.params.subscription);
    if (!one) return;
    if (message.params.error) onState(message.params.error.message);
    else {
      if (one.topic === "heads") {
        const { event, block } = message.params.data;
        one.lastBlock = event === "connected" ? block.id : block.parent;
      }
      one.onData(message.params.data, message.params.height);
    }
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
