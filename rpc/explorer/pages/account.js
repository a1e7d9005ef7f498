// An account: what it has, how it has dealt, how its merit and reputation came to be, what moved.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, credits, el, facts, figure, roughCredits, show, table, txLink } from "../dom.js";
import { drawChart } from "../chart.js";

const PAGE = 25;
const COLUMNS = [
  ["height", (entry) => blockLink(entry.block, String(entry.height)), "number"],
  ["what", (entry) => entry.reason.replaceAll("_", " ")],
  ["balance", (entry) => change(entry.balance), "number"],
  ["bonded", (entry) => change(entry.bonded), "number wide"],
  ["with", (entry) => (entry.counterparty ? accountLink(entry.counterparty) : ""), "wide"],
  ["in", (entry) => (entry.id === entry.block ? entry.kind.replaceAll("_", " ") : txLink(entry.id))],
];

// One row for each movement; one for an entry without any, which only concerns the account.
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
  const figures = el("dl", { class: "figures" });
  drawFigures(figures, account);
  const history = el("div");
  drawHistory(history, address, page, []);
  show(main,
    el("h1", {}, "Account"), el("p", {}, el("code", {}, account.address)), figures,
    el("div", { class: "charts" }, drawPoints(reputation, "reputation"), drawPoints(reputation, "merit")),
    reputation.is_complete ? null
      : el("p", { class: "quiet" }, "The history shown is not whole; the figures above are the chain's own."),
    el("h2", {}, "How it has dealt"),
    el("div", { class: "card" }, facts(listRecord(record))),
    el("h2", {}, "What moved"), history);
  return subscribe("transactions", { address: account.address }, async ({ event }) => {
    if (event === "pending") return;
    drawFigures(figures, await call("state_getAccount", { address }));
    drawHistory(history, address, await call("state_getHistory", { address, limit: PAGE }), []);
  });
}

function drawFigures(holder, account) {
  holder.replaceChildren(
    figure("balance", roughCredits(account.balance), "credits"),
    figure("bonded", roughCredits(account.bonded), "credits"),
    figure("merit", count(account.merit), "tickets"),
    figure("reputation", count(account.reputation), "tickets"),
    figure("open claims", count(account.open_claims)),
    figure("transactions sent", count(account.nonce)));
}

function drawPoints(reputation, name) {
  const points = reputation.points.map((point) => [point.height, Number(point[name])]);
  return drawChart({ title: `${name}, tickets`, lines: [points], xName: "block", isStepped: true });
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
      `${count(worker.challenged)} shown wrong; ${count(worker.tickets)} tickets, ${credits(worker.earned)} credits earned`],
    ["as a poster", `${count(poster.settled)} of ${count(poster.posted)} jobs settled, ${count(poster.cancelled)} cancelled; ` +
      `${count(poster.tickets)} tickets, ${credits(poster.paid)} credits paid, ${credits(poster.burned)} burned`],
  ];
}
