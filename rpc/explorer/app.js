// Hash routing. A page is a function (main, argument, part) that fills `main` and may return a function to call when it is
// left. The address is #/name/argument/part.

import { call, connect, onLiveState, startRecord } from "./api.js";
import { showCalls } from "./calls.js";
import { clock } from "./format.js";
import { announce, el, link, mono, short, show, startAges } from "./dom.js";
import { findMatches, search } from "./search.js";
import { showAccount } from "./pages/account.js";
import { showAccounts } from "./pages/accounts.js";
import { showBlock } from "./pages/block.js";
import { showBlocks } from "./pages/blocks.js";
import { showCertificate } from "./pages/certificate.js";
import { showCharts } from "./pages/charts.js";
import { showEvolution } from "./pages/evolution.js";
import { showFinality } from "./pages/finality.js";
import { showJob } from "./pages/job.js";
import { showJobs } from "./pages/jobs.js";
import { showMarket } from "./pages/market.js";
import { showMatrix } from "./pages/matrix.js";
import { showOverview } from "./pages/overview.js";
import { showPending } from "./pages/pending.js";
import { showPeers } from "./pages/peers.js";
import { showPool } from "./pages/pool.js";
import { showRanking } from "./pages/ranking.js";
import { showTraining } from "./pages/training.js";
import { showTransaction } from "./pages/transaction.js";
import { flipTheme, startTheme } from "./theme.js";
import { findPool } from "./work/pool.js";

const PAGES = {
  "": [showOverview, "Overview"],
  blocks: [showBlocks, "Blocks"],
  block: [showBlock, "Block"],
  certificate: [showCertificate, "Certificate"],
  tx: [showTransaction, "Transaction"],
  account: [showAccount, "Account"],
  jobs: [showJobs, "Jobs"],
  market: [showMarket, "Market"],
  job: [showJob, "Job"],
  matrix: [showMatrix, "Matrix"],
  pending: [showPending, "Pending transactions"],
  miners: [showRanking, "Miners and workers"],
  accounts: [showAccounts, "Richest accounts"],
  charts: [showCharts, "Charts"],
  evolution: [showEvolution, "Evolution"],
  training: [showTraining, "Training run"],
  finality: [showFinality, "Finality"],
  peers: [showPeers, "Peers"],
  pool: [showPool, "Pool"],
  search: [showNotFound, "Nothing found"],
};
// The page of the menu that a page of one thing belongs to.
const SECTIONS = { account: "accounts", block: "blocks", certificate: "blocks", job: "jobs", tx: "blocks" };
const RETRY_MS = [2000, 4000, 8000, 15_000];
const main = document.getElementById("main"), calls = document.getElementById("calls");
let leave = null, routes = 0, retry = null, tries = 0, isFailed = false;

async function route({ isRetry = false } = {}) {
  const own = ++routes;
  leave?.();
  leave = null;
  clearTimeout(retry);
  if (!isRetry) tries = 0;
  const [, name = "", argument = "", part] = location.hash.split("/").map(decode);
  const [page, title] = PAGES[name] ?? [showUnknownPage, "Not found"];
  document.title = `${title}${argument ? " " + argument.slice(0, 16) : ""} – INOS explorer`;
  for (const one of document.querySelectorAll("nav a")) {
    const place = one.getAttribute("href");
    if (place === `#/${name}`) one.setAttribute("aria-current", "page");
    else if (place === `#/${SECTIONS[name]}`) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
  openMenu(false);
  if (name !== "search") document.getElementById("query").value = "";
  const holder = el("div");
  startRecord((found) => own === routes && showCalls(calls, found));
  if (!isRetry) main.setAttribute("aria-busy", "true");
  isFailed = false;
  try {
    const end = await page(holder, argument || undefined, part);
    if (own !== routes) return end?.();
    leave = end ?? null;
  } catch (error) {
    if (own !== routes) return;
    isFailed = true;
    show(holder, el("h1", {}, title), explain(error));
  }
  main.removeAttribute("aria-busy");
  show(main, holder);
  main.dataset.page = name || "overview";
  if (isRetry) return;
  scrollTo(0, 0);
  announce(`${title} shown`);
}

// A part of the address that is no valid encoding is taken as it is.
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Says what went wrong. If the node does not answer, the page is tried again, later each time and once it is back.
function explain(error) {
  const parts = [el("p", { class: "bad" }, error.message || String(error)),
    error.hint ? el("p", {}, error.hint) : null, error.code ? el("p", { class: "quiet mono" }, error.code) : null];
  const wait = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
  if (error.isDown) {
    retry = setTimeout(() => route({ isRetry: true }), wait);
    parts.push(el("p", { class: "quiet" }, `This page tries again in ${wait / 1000} seconds.`));
  }
  parts.push(el("button", { type: "button", onclick: () => route({ isRetry: true }) }, "Try again"));
  return el("div", { class: "card", role: "alert" }, parts);
}

function showUnknownPage(holder) {
  show(holder, el("h1", {}, "This page does not exist"), link("#/", "Show the overview"));
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
  const text = document.getElementById("query").value.trim();
  if (!text) return;
  try {
    const found = await search(text);
    location.hash = found ?? `#/search/${encodeURIComponent(text)}`;
    main.focus();
  } catch (error) {
    show(main, el("h1", {}, "The search failed"), explain(error));
  }
}

async function showNetwork() {
  const version = await call("node_version", {}, { isShown: false });
  document.getElementById("network").textContent = version.network;
}

// A node that is a pool has a page about it, and one that works for it.
async function showPoolLinks() {
  const isPool = Boolean(await findPool());
  for (const id of ["work", "pool-link"]) document.getElementById(id).hidden = !isPool;
}

function openMenu(isOpen) {
  document.getElementById("menu").setAttribute("aria-expanded", String(isOpen));
  document.getElementById("pages").classList.toggle("open", isOpen);
}

// The footer says whether the node answers, and a bar above the page since when it stands still.
let wasLive = false, lostAt = null;

function showState(text) {
  const state = document.getElementById("live"), bar = document.getElementById("down");
  const isLive = text === "live", isDown = text === "down";
  state.textContent = isLive ? "● live" : isDown ? "○ no connection" : text;
  state.className = isLive ? "good" : "bad";
  if (isDown && wasLive) lostAt ??= Date.now();
  bar.hidden = !isDown || lostAt === null;
  if (!bar.hidden) {
    bar.textContent = `The node at ${location.host} does not answer. What is shown is of ${clock(lostAt)}; ` +
      "the page goes on by itself when the node is back.";
  }
  if (!isLive) return;
  wasLive = true;
  lostAt = null;
  if (isFailed) route({ isRetry: true });
  showNetwork().catch(() => {});
}

startTheme();
startAges();
addEventListener("hashchange", () => route());
addEventListener("keydown", onKey);
document.getElementById("theme").addEventListener("click", flipTheme);
document.getElementById("search").addEventListener("submit", onSearch);
document.getElementById("menu").addEventListener("click", (event) =>
  openMenu(event.currentTarget.getAttribute("aria-expanded") !== "true"));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
onLiveState(showState);
showPoolLinks();
connect();
route();
