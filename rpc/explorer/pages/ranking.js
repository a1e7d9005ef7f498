// Who mines and who works: accounts ranked by the blocks that they mined, or by the paid work that they settled.

import { call } from "../api.js";
import { accountLink, count, el, link, percent, roughCredits, show, stat, tabs, table } from "../dom.js";
import { findPool } from "../work/pool.js";

const PAGE = 25, WINDOW = 500;
const TABS = [["mined", "By blocks mined"], ["settled", "By paid work"]];

const wrong = ({ worker }) => worker.challenged + worker.rejected;
const part = (some, all) => (all ? `${count(some)} of ${count(all)}` : "–");

const makeColumns = (page) => [
  ["#", (one) => count(one.rank), "number"],
  ["account", (one) => accountLink(one.address)],
  ["blocks", (one) => count(one.mined), "number"],
  [`of the last ${count(page.window)}`, (one) => percent(page.window ? (page.recent.get(one.address) ?? 0) / page.window : 0), "number"],
  ["paid tickets", (one) => count(one.worker.tickets), "number"],
  ["luck", (one) => describeLuck(one, page.difficulty), "number"],
  ["settled", ({ worker }) => part(worker.settled, worker.claimed), "number"],
  ["lapsed", ({ worker }) => count(worker.lapsed), "number"],
  ["disputed", ({ worker }) => count(worker.disputed), "number"],
  ["wrong", (one) => (wrong(one) ? el("span", { class: "bad" }, count(wrong(one))) : "0"), "number"],
  ["earned by jobs", ({ worker }) => roughCredits(worker.earned), "number"],
  ["bonds lost", ({ worker }) => roughCredits(worker.bonds_lost), "number"],
  ["reputation", (one) => roughCredits(one.reputation), "number"],
];

// Blocks found for each block that the account's paid work alone was worth, at the chain's mean difficulty.
export function computeLuck(mined, tickets, difficulty) {
  const expected = difficulty ? tickets / difficulty : 0;
  return expected >= 1 ? mined / expected : null;
}

function describeLuck(one, difficulty) {
  const luck = computeLuck(one.mined, one.worker.tickets, difficulty);
  return luck === null ? "–" : `${luck < 10 ? luck.toFixed(2) : count(Math.round(luck))} ×`;
}

export async function showRanking(main, by = "mined") {
  const chosen = TABS.some(([name]) => name === by) ? by : "mined";
  const [list, whole, pool] = await Promise.all([
    call("chain_listBlocks", { limit: WINDOW }), readWhole(), findPool()]);
  const blocks = list.blocks.filter((block) => block.height > 0);
  const recent = new Map();
  for (const block of blocks) recent.set(block.beneficiary, (recent.get(block.beneficiary) ?? 0) + 1);
  const page = { recent, window: blocks.length, difficulty: whole ? Number(whole.weight) / whole.blocks : 0, accounts: [] };
  const holder = el("div");
  const draw = async (after) => {
    const found = await call("state_listAccounts", { by: chosen, limit: PAGE, ...(after && { after }) });
    page.accounts.push(...found.accounts.map((one, i) => ({ ...one, rank: page.accounts.length + i + 1 })));
    const more = found.next && el("button", { type: "button", onclick: () => draw(found.next) }, "More");
    show(holder, table(makeColumns(page), page.accounts, "Nobody yet."), el("div", { class: "tools" }, more || ""),
      found.counted_from > 1 ? el("p", { class: "quiet" },
        `This node began with the state of block ${count(found.counted_from - 1)}, and counts from there on.`) : null);
  };
  await draw(null);
  const [first, most] = [...recent].sort((a, b) => b[1] - a[1])[0] ?? [null, 0];
  const speed = whole && whole.spacing_ms ? (Number(whole.weight) / whole.blocks / whole.spacing_ms) * 1000 : 0;
  show(main, el("h1", {}, "Miners and workers"),
    el("dl", { class: "stats" },
      stat("miners", count(recent.size), `of the last ${count(blocks.length)} blocks`),
      stat("largest", first ? percent(most / blocks.length) : "–", first ? accountLink(first) : ""),
      stat("speed", count(Math.round(speed)), "tickets a second, the mean of all blocks"),
      pool ? stat("this node's pool", pool.luck === null ? "–" : percent(pool.luck), "luck, by the shares of its members") : null),
    tabs("#/miners", TABS, chosen), holder,
    el("p", { class: "quiet" }, "Luck is the number of blocks found for each block that the account's paid work alone should have found. "
      + "A miner that also draws tickets on fillers, which no one counts, has more. It is shown from one expected block on. ",
    "Wrong results were challenged, or rejected by a jury; each cost a bond and all reputation. ", link("#/accounts", "The richest accounts")));
}

async function readWhole() {
  const { points } = await call("chain_getStats", { points: 1 });
  return points[0] ?? null;
}
