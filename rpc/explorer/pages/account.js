// An account: its balance, its reputation over time, its track record and its history.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, credits, el, facts, stat, roughCredits, show, table, txLink } from "../dom.js";
import { drawChart } from "../chart.js";

const PAGE = 25;
const NANO = 1e9;
const COLUMNS = [
  ["height", (entry) => blockLink(entry.block, String(entry.height)), "number"],
  ["reason", (entry) => entry.reason.replaceAll("_", " ")],
  ["balance", (entry) => change(entry.balance), "number"],
  ["bonded", (entry) => change(entry.bonded), "number"],
  ["with", (entry) => (entry.counterparty ? accountLink(entry.counterparty) : "")],
  ["transaction", (entry) => (entry.id === entry.block ? entry.kind.replaceAll("_", " ") : txLink(entry.id))],
];

// Returns a row for each movement, and one for an entry without movements.
function listRows(entries) {
  return entries.flatMap((entry) => entry.movements.length
    ? entry.movements.map((movement) => ({ ...entry, ...movement }))
    : [{ ...entry, reason: entry.kind }]);
}

function change(nano) {
  if (nano === "0") return "";
  return nano.startsWith("-") ? `−${credits(nano.slice(1))}` : `+${credits(nano)}`;
}

export async function showAccount(main, address) {
  const [account, reputation, record, page] = await Promise.all([
    call("state_getAccount", { address }), call("state_getReputationHistory", { address }),
    call("job_trackRecord", { address }), call("state_getHistory", { address, limit: PAGE }),
  ]);
  const stats = el("dl", { class: "stats" });
  drawStats(stats, account);
  const history = el("div");
  drawHistory(history, address, page, []);
  show(main,
    el("h1", {}, "Account"), el("p", {}, el("code", {}, account.address)), stats,
    el("div", { class: "charts" }, drawReputation(reputation)),
    reputation.is_complete ? null
      : el("p", { class: "quiet" }, "This node does not have the whole history, so the charts are incomplete. The values above are complete."),
    el("h2", {}, "Track record"),
    el("div", { class: "card" }, facts(listRecord(record))),
    el("h2", {}, "History"), history);
  return subscribe("transactions", { address: account.address }, async ({ event }) => {
    if (event === "pending") return;
    drawStats(stats, await call("state_getAccount", { address }));
    drawHistory(history, address, await call("state_getHistory", { address, limit: PAGE }), []);
  });
}

function drawStats(holder, account) {
  holder.replaceChildren(
    stat("balance", roughCredits(account.balance), "credits"),
    stat("bonded", roughCredits(account.bonded), "credits"),
    stat("reputation", roughCredits(account.reputation), "credits burned by jobs it settled"),
    stat("open claims", count(account.open_claims)),
    stat("transactions sent", count(account.nonce)));
}

function drawReputation(reputation) {
  const points = reputation.points.map((point) => [point.height, Number(point.reputation) / NANO]);
  return drawChart({ title: "Reputation, credits", lines: [points], xName: "block", isStepped: true });
}

function drawHistory(holder, address, page, before) {
  const entries = [...before, ...page.entries];
  const more = page.next === null ? null : el("button", {
    type: "button",
    onclick: async () => drawHistory(holder, address,
      await call("state_getHistory", { address, limit: PAGE, before: page.next }), entries),
  }, "Older");
  show(holder, table(COLUMNS, listRows(entries)), el("div", { class: "tools" }, more));
}

function listRecord({ worker, poster }) {
  return [
    ["as a worker", `${count(worker.settled)} of ${count(worker.claimed)} claims settled, ${count(worker.lapsed)} lapsed, ` +
      `${count(worker.challenged)} wrong; ${count(worker.tickets)} tickets, ${credits(worker.earned)} credits earned`],
    ["as a poster", `${count(poster.settled)} of ${count(poster.posted)} jobs settled, ${count(poster.cancelled)} cancelled; ` +
      `${count(poster.tickets)} tickets, ${credits(poster.paid)} credits paid, ${credits(poster.burned)} burned`],
  ];
}
