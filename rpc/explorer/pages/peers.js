// The peers of this node, its health, and who multiplies for it.

import { call } from "../api.js";
import { ago, bytes, count, el, facts, short, show, table } from "../dom.js";
import { OFFENCES } from "../offences.js";

const EVERY_MS = 5000;
const COLUMNS = [
  ["node", (peer) => el("span", { class: "mono", title: peer.id }, short(peer.id))],
  ["address", (peer) => peer.address],
  ["connection", (peer) => (peer.kind === peer.direction ? peer.kind : `${peer.direction}, ${peer.kind}`)],
  ["height", (peer) => count(peer.height), "number"],
  ["latency", (peer) => (peer.latency_ms === null ? "–" : `${peer.latency_ms} ms`), "number"],
  ["received", (peer) => bytes(peer.bytes_received), "number"],
  ["sent", (peer) => bytes(peer.bytes_sent), "number"],
  ["since", (peer) => ago(peer.connected_at_ms)],
];

const KINDS = { own: "own engine", page: "pages in browsers", card: "graphics cards", machine: "machines" };
const WORKERS = [
  ["kind", (group) => KINDS[group.kind]],
  ["here", (group) => (group.kind === "own" ? "" : count(group.workers)), "number"],
  ["tickets a second", (group) => count(Math.round(group.tickets_per_second)), "number"],
  ["tickets", (group) => count(group.tickets), "number"],
  ["pieces", (group) => (group.kind === "own" ? "" : count(group.pieces)), "number"],
  ["late", (group) => (group.kind === "own" ? "" : count(group.late)), "number"],
];

const ERRORS = [
  ["for what", ([code]) => OFFENCES[code] ?? code],
  ["code", ([code]) => el("code", {}, code)],
  ["times", ([, times]) => count(times), "number"],
];

function drawWorkers(found) {
  if (found === null) return [];
  const errors = Object.entries(found.errors).sort(([, a], [, b]) => b - a);
  return [
    el("h2", {}, "Who multiplies"),
    table(WORKERS, found.groups, ""),
    ...(errors.length ? [el("h2", {}, "Workers that were refused"), table(ERRORS, errors, "")] : []),
  ];
}

function describe(check) {
  if (check.ok) return check.detail;
  return el("span", {}, el("span", { class: "bad" }, `${check.detail} (${check.code})`), `: ${check.hint}`);
}

export async function showPeers(main) {
  const draw = async () => {
    const [peers, status, version, health] = await Promise.all(
      ["net_peers", "net_status", "node_version", "node_health"].map((method) => call(method)));
    const workers = await call("miner_workers").catch(() => null);  // A node that does not mine has none.
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
      ])),
      ...drawWorkers(workers));
  };
  await draw();
  const timer = setInterval(() => draw().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}
