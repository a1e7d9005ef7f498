// WebSockets that end when the page is left.
//
// A browser may keep a page that is left, frozen, until somebody comes back to it. What then waits in a socket is not sent, nor is
// the close behind it, while the browser goes on to answer the node's pings. So sockets are opened in an empty frame: a browser
// drops them together with the frame, whatever waits in them.

let frame = null;

function makeFrame() {
  if (frame) return;
  frame = document.createElement("iframe");
  frame.hidden = true;
  document.body.append(frame);
}

export function openSocket(url) {
  makeFrame();
  return new frame.contentWindow.WebSocket(url);
}

// Ends all connections at once; what waits in them is lost.
export function dropSockets() {
  frame?.remove();
  frame = null;
}

// Some browsers replace the document of a new frame, and with it a socket that was opened at once.
makeFrame();
addEventListener("pageshow", makeFrame);
