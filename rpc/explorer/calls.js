// The RPC calls that the page made, each to copy as JSON or as a command: what the reader sees can be read again.

import { copyButton, el, show } from "./dom.js";

export function showCalls(holder, calls) {
  holder.hidden = calls.length === 0;
  const isOpen = holder.querySelector("details")?.open ?? false;
  if (isOpen && holder.contains(document.activeElement)) return; // The reader is about to press one of these buttons.
  const title = calls.length === 1 ? "The RPC call of this page" : `The ${calls.length} RPC calls of this page`;
  show(holder, el("details", { class: "card", open: isOpen }, el("summary", {}, title),
    el("ul", { class: "calls" }, calls.map(drawCall))));
}

function drawCall({ method, params }) {
  const shown = Object.keys(params).length ? JSON.stringify(params) : "";
  const request = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  return el("li", {}, el("code", {}, el("b", {}, method), ` ${shown}`),
    el("span", { class: "buttons" }, copyButton(request, `the call ${method} as JSON`, "Copy JSON"),
      method === "subscribe" ? el("span", { class: "quiet" }, `by WebSocket at ${socketAddress()}`)
        : copyButton(makeCommand(request), `the call ${method} as a command`, "Copy curl")));
}

const socketAddress = () => `${location.origin.replace(/^http/, "ws")}/ws`;

// Returns a command for a shell; in single quotes only the quote itself means anything.
export function makeCommand(request, url = `${location.origin}/`) {
  return `curl -s ${url} -H 'Content-Type: application/json' -d '${request.replaceAll("'", "'\\''")}'`;
}
