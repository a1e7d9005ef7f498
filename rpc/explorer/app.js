// Hash routing. A page is a function (main, argument) that fills `main` and may return a function to call when it is left.

import { call, connect, onLiveState } from "./api.js";
import { el, link, mono, short, show } from "./dom.js";
import { findMatches, search } from "./search.js";
import { showAccount } from "./pages/account.js";
import { showBlock } from "./pages/block.js";
import { showBlocks } from "./pages/blocks.js";
import { showCertificate } from "./pages/certificate.js";
import { showCharts } from "./pages/charts.js";
import { showFinality } from "./pages/finality.js";
import { showJob } from "./pages/job.js";
import { showJobs } from "./pages/jobs.js";
import { showMatrix } from "./pages/matrix.js";
import { showPeers } from "./pages/peers.js";
import { showPool } from "./pages/pool.js";
import { showTransaction } from "./pages/transaction.js";
import { flipTheme, startTheme } from "./theme.js";
import { findPool } from "./work/pool.js";

const PAGES = {
  "": [showBlocks, "Blocks"],
  block: [showBlock, "Block"],
  certificate: [showCertificate, "Certificate"],
  tx: [showTransaction, "Transaction"],
  account: [showAccount, "Account"],
  jobs: [showJobs, "Jobs"],
  job: [showJob, "Job"],
  matrix: [showMatrix, "Matrix"],
  charts: [showCharts, "Charts"],
  finality: [showFinality, "Finality"],
  peers: [showPeers, "Peers"],
  pool: [showPool, "Pool"],
  search: [showNotFound, "Nothing found"],
};
const main = document.getElementById("main");
let leave = null, routes = 0;

async function route() {
  const own = ++routes;
  leave?.();
  leave = null;
  const [, name = "", argument = ""] = location.hash.split("/");
  const [page, title] = PAGES[name] ?? [showUnknownPage, "Not found"];
  document.title = `${title}${argument ? " " + decodeURIComponent(argument).slice(0, 16) : ""} – INOS explorer`;
  for (const one of document.querySelectorAll("nav a")) {
    if (one.getAttribute("href") === `#/${name}`) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  const holder = el("div");
  try {
    const end = await page(holder, decodeURIComponent(argument));
    if (own !== routes) return end?.();
    leave = end ?? null;
  } catch (error) {
    if (own !== routes) return;
    show(holder, el("h1", {}, title), explain(error));
  }
  show(main, holder);
  main.dataset.page = name || "blocks";
  scrollTo(0, 0);
}

function explain(error) {
  return el("div", { class: "card", role: "alert" }, el("p", { class: "bad" }, error.message || String(error)),
    error.hint ? el("p", {}, error.hint) : null, error.code ? el("p", { class: "quiet mono" }, error.code) : null);
}

function showUnknownPage(holder) {
  show(holder, el("h1", {}, "This page does not exist"), link("#/", "Show the newest blocks"));
}

async function showNotFound(holder, text) {
  const matches = await findMatches(text);
  if (matches.length > 1) {
    show(holder, el("h1", {}, "Several ids begin with this"), el("p", { class: "mono" }, text),
      el("ul", {}, ...matches.map(({ kind, id, page }) => el("li", {}, `${kind} `, link(page, short(id), mono)))));
    return;
  }
  show(holder, el("h1", {}, "Nothing found"), el("p", {}, "This node has no block, transaction, job, account, matrix or file for"),
    el("p", { class: "mono" }, text),
    el("p", { class: "quiet" }, "Enter a height, an id or at least four of its first digits, or an address."));
}

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, textarea, select")) return;
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("query").focus();
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    document.querySelector(`[data-key="${event.key}"]`)?.click();
  }
}

async function onSearch(event) {
  event.preventDefault();
  const input = document.getElementById("query");
  const text = input.value.trim();
  if (!text) return;
  const found = await search(text);
  if (found !== null) input.value = "";
  location.hash = found ?? `#/search/${encodeURIComponent(text)}`;
  main.focus();
}

async function showNetwork() {
  const version = await call("node_version");
  document.getElementById("network").textContent = version.network;
}

// A node that is a pool has a page about it, and one that works for it.
async function showPoolLinks() {
  const isPool = Boolean(await findPool());
  for (const id of ["work", "pool-link"]) document.getElementById(id).hidden = !isPool;
}

startTheme();
addEventListener("hashchange", route);
addEventListener("keydown", onKey);
document.getElementById("theme").addEventListener("click", flipTheme);
document.getElementById("search").addEventListener("submit", (event) => onSearch(event).catch(() => route()));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
onLiveState((text) => {
  const state = document.getElementById("live");
  state.textContent = text === "live" ? "● live" : text;
  state.className = text === "live" ? "good" : "bad";
});
showNetwork().catch(() => {});
showPoolLinks();
connect();
route();
