// The richest accounts, a page at a time, and all of them as a file.

import { call } from "../api.js";
import { accountLink, announce, count, el, link, percent, roughCredits, show, stat, table } from "../dom.js";
import { makeCsv, plainCredits, save } from "../csv.js";

const PAGE = 50, CSV_PAGE = 200, CSV_MOST = 20_000;

const makeColumns = (supply) => [
  ["#", (one) => count(one.rank), "number"],
  ["account", (one) => accountLink(one.address)],
  ["credits", (one) => roughCredits(one.value), "number"],
  ["of all", (one) => percent(Number(one.value) / supply), "number"],
  ["balance", (one) => roughCredits(one.balance), "number"],
  ["bonded", (one) => roughCredits(one.bonded), "number"],
  ["blocks mined", (one) => count(one.mined), "number"],
  ["jobs settled", (one) => count(one.worker.settled), "number"],
  ["jobs posted", (one) => count(one.poster.posted), "number"],
];

export async function showAccounts(main) {
  const supply = await call("state_supply");
  const holder = el("div"), accounts = [], columns = makeColumns(Number(supply.supply) || 1);
  const draw = async (after) => {
    const found = await call("state_listAccounts", { by: "holdings", limit: PAGE, ...(after && { after }) });
    accounts.push(...found.accounts.map((one, i) => ({ ...one, rank: accounts.length + i + 1 })));
    const more = found.next && el("button", { type: "button", onclick: () => draw(found.next) }, "More");
    show(holder, table(columns, accounts, "No account has anything."), el("div", { class: "tools" }, more || "", csvButton()));
  };
  await draw(null);
  show(main, el("h1", {}, "Richest accounts"),
    el("dl", { class: "stats" },
      stat("supply", roughCredits(supply.supply), "credits"),
      stat("minted", roughCredits(supply.minted), "credits"),
      stat("burned", roughCredits(supply.burned), "credits"),
      stat("in escrow", roughCredits(supply.escrowed), "credits of unpaid jobs")),
    el("p", { class: "quiet" }, "What an account has is its balance and its bonds. ", link("#/miners", "Miners and workers")), holder);
}

function csvButton() {
  return el("button", { type: "button", id: "csv", onclick: async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const rows = await readAll((number) => (button.textContent = `${count(number)} read …`));
      save("accounts.csv", makeCsv(rows));
      announce(`${count(rows.length - 1)} accounts saved`);
    } finally {
      button.disabled = false;
      button.textContent = "Save as CSV";
    }
  } }, "Save as CSV");
}

async function readAll(onProgress) {
  const rows = [["address", "credits", "balance", "bonded", "reputation", "blocks_mined", "jobs_settled", "jobs_posted"]];
  let after = null;
  do {
    const found = await call("state_listAccounts", { by: "holdings", limit: CSV_PAGE, ...(after && { after }) });
    rows.push(...found.accounts.map((one) => [one.address, plainCredits(one.value), plainCredits(one.balance), plainCredits(one.bonded),
      plainCredits(one.reputation), one.mined, one.worker.settled, one.poster.posted]));
    after = found.next;
    onProgress(rows.length - 1);
  } while (after && rows.length < CSV_MOST);
  return rows;
}
