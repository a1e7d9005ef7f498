// An account: what it has, and in parts all that moved on it, its jobs, its reputation over time, its track record, and a proof
// of what it has.

import { call, subscribe } from "../api.js";
import { drawChart } from "../chart.js";
import { makeCsv, plainCredits, save } from "../csv.js";
import { accountLink, ago, announce, blockLink, change, copyable, count, credits, el, facts, jobLink, roughCredits, show, stat, table, tabs,
  txLink } from "../dom.js";
import { day, clock } from "../format.js";
import { drawProof } from "./proof.js";
import { STATE_TAG, KIND_NAMES } from "./jobs.js";

const PAGE = 25, CSV_PAGE = 1000, CSV_MOST = 100_000, NANO = 1e9;
const TABS = [["history", "History"], ["posted", "Jobs posted"], ["worked", "Jobs computed"], ["reputation", "Reputation"], ["proof", "Proof"]];
const NO_TRANSACTION = { genesis: "genesis", block_start: "start of a block", block_reward: "block reward" };
const COLUMNS = [
  ["time", (entry) => ago(entry.time_ms)],
  ["block", (entry) => blockLink(entry.block, count(entry.height)), "number"],
  ["reason", (entry) => entry.reason.replaceAll("_", " ")],
  ["balance", (entry) => change(entry.balance), "number"],
  ["bonded", (entry) => change(entry.bonded), "number"],
  ["with", (entry) => (entry.counterparty ? accountLink(entry.counterparty) : "")],
  ["job", (entry) => (entry.job ? jobLink(entry.job) : "")],
  ["transaction", (entry) => NO_TRANSACTION[entry.kind] ?? txLink(entry.id)],
];
const JOB_COLUMNS = [
  ["job", (job) => jobLink(job.id)],
  ["kind", (job) => KIND_NAMES[job.kind]],
  ["state", STATE_TAG],
  ["units", (job) => count(job.units), "number"],
  ["reward", (job) => roughCredits(job.reward), "number"],
  ["burned", (job) => roughCredits(job.burned), "number"],
  ["posted in", (job) => blockLink(String(job.posted_at), count(job.posted_at)), "number"],
  ["posted by", (job) => accountLink(job.poster)],
  ["worker", (job) => (job.worker ? accountLink(job.worker) : "")],
];

// Returns a row for each movement, and one for an entry without movements.
function listRows(entries) {
  return entries.flatMap((entry) => entry.movements.length
    ? entry.movements.map((movement) => ({ ...entry, ...movement }))
    : [{ ...entry, reason: entry.kind }]);
}

export async function showAccount(main, address, tab = "history") {
  const chosen = TABS.some(([name]) => name === tab) ? tab : "history";
  const stats = el("dl", { class: "stats" }), part = el("div");
  const account = await call("state_getAccount", { address });
  drawStats(stats, account);
  const draw = { history: drawHistory, posted: (...all) => drawJobs("poster", ...all), worked: (...all) => drawJobs("worker", ...all),
    reputation: drawReputation, proof: drawProof }[chosen];
  await draw(part, account.address);
  show(main, el("h1", {}, "Account"), el("p", {}, copyable(account.address, "the address")), qrCode(account.address), stats,
    tabs(`#/account/${account.address}`, TABS, chosen), part);
  return subscribe("transactions", { address: account.address }, async ({ event }) => {
    if (event === "pending") return;
    drawStats(stats, await call("state_getAccount", { address }));
    if (!part.dataset.paged) await draw(part, account.address);
  });
}

// The node draws the code when the reader opens it.
function qrCode(address) {
  const holder = el("details", {}, el("summary", {}, "QR code"));
  holder.addEventListener("toggle", () => {
    if (holder.open && holder.children.length === 1) {
      holder.append(el("img", { class: "qr", src: `qr/${address}.svg`, alt: `QR code of the address ${address}`, width: "180", height: "180" }));
    }
  });
  return holder;
}

function drawStats(holder, account) {
  holder.replaceChildren(
    stat("balance", roughCredits(account.balance), "credits"),
    stat("bonded", roughCredits(account.bonded), "credits"),
    stat("reputation", roughCredits(account.reputation), "credits burned by jobs it settled"),
    stat("open claims", count(account.open_claims)),
    stat("transactions sent", count(account.nonce),
      account.pending_nonce > account.nonce ? `${count(account.pending_nonce - account.nonce)} pending` : ""));
}

async function drawHistory(holder, address, before = null, shown = []) {
  const page = await call("state_getHistory", { address, limit: PAGE, ...(before && { before }) });
  const entries = [...shown, ...page.entries];
  if (before) holder.dataset.paged = "true"; // What the reader has leafed through stays as it is.
  const more = page.next === null ? "" : el("button", { type: "button", onclick: () => drawHistory(holder, address, page.next, entries) }, "Older");
  show(holder, table(COLUMNS, listRows(entries), "Nothing ever moved on this account."),
    el("div", { class: "tools" }, more, entries.length ? csvButton(address) : ""));
}

async function drawJobs(side, holder, address, after = null, shown = []) {
  const page = await call("job_list", { [side]: address, order: "newest", limit: PAGE, ...(after && { after }) });
  const jobs = [...shown, ...page.jobs];
  if (after) holder.dataset.paged = "true";
  const columns = JOB_COLUMNS.filter(([title]) => title !== (side === "poster" ? "posted by" : "worker"));
  const more = page.next && el("button", { type: "button", onclick: () => drawJobs(side, holder, address, page.next, jobs) }, "Older");
  show(holder, table(columns, jobs, side === "poster" ? "It has posted no job that the state still has."
    : "It has computed no job that the state still has."),
    el("div", { class: "tools" }, more || ""));
}

async function drawReputation(holder, address) {
  const [reputation, record] = await Promise.all([
    call("state_getReputationHistory", { address }), call("job_trackRecord", { address })]);
  const points = reputation.points.map((point) => [point.height, Number(point.reputation) / NANO]);
  show(holder, el("div", { class: "charts" }, drawChart({ title: "Reputation, credits", lines: [points], isStepped: true,
    note: reputation.is_complete ? "" : "This node does not have the whole history, so the chart is incomplete. The value above is complete." })),
  el("h2", {}, "Track record"), el("div", { class: "card" }, facts(listRecord(record))));
}

function listRecord({ worker, poster }) {
  return [
    ["as a worker", `${count(worker.settled)} of ${count(worker.claimed)} claims settled, ${count(worker.lapsed)} lapsed, ` +
      `${count(worker.challenged + worker.rejected)} wrong, ${count(worker.disputed)} disputed; ${count(worker.tickets)} tickets, ` +
      `${credits(worker.earned)} credits earned, ${credits(worker.bonds_lost)} of bonds lost`],
    ["as a poster", `${count(poster.settled)} of ${count(poster.posted)} jobs settled, ${count(poster.cancelled)} cancelled; ` +
      `${count(poster.tickets)} tickets, ${credits(poster.paid)} credits paid, ${credits(poster.burned)} burned`],
  ];
}

function csvButton(address) {
  return el("button", { type: "button", id: "csv", onclick: async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const rows = await readAll(address, (number) => (button.textContent = `${count(number)} read …`));
      save(`${address}.csv`, makeCsv(rows));
      announce(`${count(rows.length - 1)} movements saved`);
    } finally {
      button.disabled = false;
      button.textContent = "Save as CSV";
    }
  } }, "Save as CSV");
}

// Returns all movements as rows of a table, newest first, each page read after the other.
export async function readAll(address, onProgress = () => {}) {
  const rows = [["time", "height", "kind", "reason", "balance", "bonded", "counterparty", "job", "id"]];
  let before = null;
  do {
    const page = await call("state_getHistory", { address, limit: CSV_PAGE, ...(before && { before }) });
    rows.push(...listRows(page.entries).map((one) => [`${day(one.time_ms)} ${clock(one.time_ms)}`, one.height, one.kind, one.reason,
      plainCredits(one.balance), plainCredits(one.bonded), one.counterparty ?? "", one.job ?? "", one.id]));
    before = page.next;
    onProgress(rows.length - 1);
  } while (before !== null && rows.length < CSV_MOST);
  return rows;
}
