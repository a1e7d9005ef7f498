// The peers of this node, and its health.

import { call } from "../api.js";
import { age, count, el, facts, short, show, table } from "../dom.js";

const EVERY_MS = 5000;
const COLUMNS = [
  ["node", (peer) => el("span", { class: "mono", title: peer.id }, short(peer.id))],
  ["address", (peer) => peer.address],
  ["connection", (peer) => (peer.kind === peer.direction ? peer.kind : `${peer.direction}, ${peer.kind}`), "wide"],
  ["height", (peer) => count(peer.height), "number"],
  ["latency", (peer) => (peer.latency_ms === null ? "–" : `${peer.latency_ms} ms`), "number"],
  ["received", (peer) => `${count(Math.round(peer.bytes_received / 1024))} KiB`, "number wide"],
  ["sent", (peer) => `${count(Math.round(peer.bytes_sent / 1024))} KiB`, "number wide"],
  ["since", (peer) => age(peer.connected_at_ms), "wide"],
];

function describe(check) {
  if (check.ok) return check.detail;
  return el("span", {}, el("span", { class: "bad" }, `${check.detail} (${check.code})`), `: ${check.hint}`);
}

export async function showPeers(main) {
  const draw = async () => {
    const [peers, status, version, health] = await Promise.all(
      ["net_peers", "net_status", "node_version", "node_health"].map((method) => call(method)));
    show(main,
      el("h1", {}, peers.count === 1 ? "1 peer" : `${peers.count} peers`),
      table(COLUMNS, peers.peers, "This node has no peers."),
      el("h2", {}, "This node"),
      el("div", { class: "card" }, facts([
        ["id", el("code", {}, version.node_id)],
        ["software", `inos ${version.version}, protocol version ${version.protocol_version}`],
        ["genesis", el("code", {}, version.genesis)],
        ["reachability", status.reachability],
        ["health", el("span", { class: health.status === "ok" ? "good" : "bad" }, health.status)],
        ...health.checks.map((check) => [check.name, describe(check)]),
      ])));
  };
  await draw();
  const timer = setInterval(() => draw().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}
