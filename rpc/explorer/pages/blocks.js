// The newest blocks, live: the product of each, and how much of its work was paid for.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, el, stat, jobLink, makeRow, percent, seconds, show, table } from "../dom.js";
import { computePaidShare } from "../share.js";

const SHOWN = 30;
const WINDOW = 100;

export const describeProduct = (block) => {
  const made = block.product;
  return made ? `${made.m} × ${made.k} × ${made.n}` : "genesis";
};

export function paidShare(block) {
  const share = computePaidShare([block]);
  const fill = el("i");
  fill.style.width = `${100 * share}%`;
  return el("span", { title: `${block.tickets_settled ?? 0} tickets of paid work settled` },
    el("span", { class: "bar", "aria-hidden": "true" }, fill), percent(share));
}

const COLUMNS = [
  ["height", (block) => blockLink(block.id, String(block.height)), "number"],
  ["product", (block) => describeProduct(block)],
  ["paid work", paidShare],
  ["block time", (block) => seconds(block.spacing_ms), "number"],
  ["mined by", (block) => accountLink(block.beneficiary)],
  ["settled", (block) => (block.settled.length ? jobLink(block.settled[0]) : "")],
  ["txs", (block) => count(block.transactions), "number"],
];

export async function showBlocks(main) {
  const [list, head, work] = await readAll();
  let blocks = list.blocks;
  const stats = el("dl", { class: "stats", id: "stats" });
  const holder = table(COLUMNS, blocks);
  const body = holder.querySelector("tbody");
  drawStats(stats, head, work, blocks);
  show(main, el("h1", {}, "Newest blocks"), stats, holder);
  let isReading = false;
  return subscribe("heads", {}, async ({ event, block }) => {
    if (event === "disconnected") {
      blocks = blocks.filter((one) => one.id !== block.id);
    } else if (!blocks.some((one) => one.id === block.id)) {
      blocks = [block, ...blocks].slice(0, SHOWN);
    }
    body.replaceChildren(...blocks.map((one) => makeRow(COLUMNS, one)));
    if (event === "connected") body.firstChild?.classList.add("new");
    if (isReading) return;
    isReading = true;
    try {
      const [, newHead, newWork] = await readAll();
      drawStats(stats, newHead, newWork, blocks);
    } finally {
      isReading = false;
    }
  });
}

function readAll() {
  return Promise.all([
    call("chain_listBlocks", { limit: SHOWN }), call("chain_head"), call("chain_usefulWork", { window: WINDOW }),
  ]);
}

function drawStats(holder, head, work, blocks) {
  const timed = blocks.filter((block) => block.height > 1);
  const mean = timed.length ? timed.reduce((sum, block) => sum + block.spacing_ms, 0) / timed.length : 0;
  holder.replaceChildren(
    stat("height", count(head.height)),
    stat("paid share", percent(Number(work.paid_share)), `of ${count(work.blocks)} blocks`),
    stat("burned", percent(Number(work.burned_share)), "of the subsidies"),
    stat("difficulty", count(head.difficulty), "tickets"),
    stat("block time", seconds(mean)),
    stat("pool", count(head.pool), "transactions"),
    stat("peers", count(head.peers)),
  );
}
