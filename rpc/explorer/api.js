// This node's JSON-RPC: questions by POST, news over one WebSocket that comes back by itself and loses nothing.

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

// A subscription: {topic, params, onNews, place}. `place` is the last block seen, from where it resumes.
const wanted = new Set();
let socket = null, tries = 0, nextId = 1, onState = () => {};
const asked = new Map(), running = new Map();

export function onLiveState(listener) {
  onState = listener;
}

// Returns a function that ends the subscription. `onNews` gets the data of every notification, in order.
export function subscribe(topic, topicParams, onNews) {
  const one = { topic, params: topicParams, onNews, place: null, name: null };
  wanted.add(one);
  if (socket?.readyState === WebSocket.OPEN) begin(one);
  else connect();
  return () => {
    wanted.delete(one);
    if (one.name !== null && socket?.readyState === WebSocket.OPEN) send("unsubscribe", { subscription: one.name });
    running.delete(one.name);
  };
}

function send(method, request) {
  const id = nextId++;
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: request }));
  return id;
}

function begin(one) {
  const resume = one.place === null ? {} : { after: one.place };
  asked.set(send("subscribe", { topic: one.topic, ...one.params, ...(one.topic === "heads" ? resume : {}) }), one);
}

// Opened at once, so that the page says whether its node is there.
export function connect() {
  if (socket !== null) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  socket.onopen = () => {
    tries = 0;
    onState("live");
    wanted.forEach(begin);
  };
  socket.onmessage = (message) => receive(JSON.parse(message.data));
  socket.onclose = () => {
    socket = null;
    asked.clear();
    running.clear();
    onState("not connected; trying again …");
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  };
}

function receive(message) {
  if (message.method === "subscription") {
    const one = running.get(message.params.subscription);
    if (!one) return;
    if (message.params.error) onState(message.params.error.message);
    else {
      if (one.topic === "heads") {
        const { event, block } = message.params.data;
        one.place = event === "connected" ? block.id : block.parent;
      }
      one.onNews(message.params.data, message.params.height);
    }
    return;
  }
  const one = asked.get(message.id);
  asked.delete(message.id);
  if (!one) return;
  if (message.result) {
    one.name = message.result.subscription;
    running.set(one.name, one);
    if (!wanted.has(one)) send("unsubscribe", { subscription: one.name });
  } else if (one.place !== null) {
    one.place = null; // what it stood on is too far back, or forgotten: begin at the tip
    begin(one);
  }
}
