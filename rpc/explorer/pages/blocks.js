// The newest blocks, live: what each multiplied, and how much of its work somebody paid for.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, el, figure, jobLink, makeRow, percent, seconds, show, table } from "../dom.js";

const SHOWN = 30;
const WINDOW = 100;

export const describeProduct = (block) => {
  const made = block.product;
  return made ? `${made.m} × ${made.k} × ${made.n}` : "genesis";
};

export function useful(block) {
  const share = block.weight && block.weight !== "0" ? Math.min(1, block.tickets_settled / Number(block.weight)) : 0;
  const fill = el("i");
  fill.style.width = `${100 * share}%`;
  return el("span", { title: `${block.tickets_settled ?? 0} tickets of paid work settled` },
    el("span", { class: "bar", "aria-hidden": "true" }, fill), percent(share));
}

const COLUMNS = [
  ["height", (block) => blockLink(block.id, String(block.height)), "number"],
  ["multiplied", (block) => describeProduct(block)],
  ["paid work", useful],
  ["after", (block) => seconds(block.spacing_ms), "number"],
  ["by", (block) => accountLink(block.beneficiary), "wide"],
  ["", (block) => (block.uses_merit ? el("span", { class: "tag" }, "merit") : ""), "wide"],
  ["settled", (block) => (block.settled.length ? jobLink(block.settled[0]) : ""), "wide"],
  ["txs", (block) => count(block.transactions), "number wide"],
];

export async function showBlocks(main) {
  const [list, head, work] = await readAll();
  let blocks = list.blocks;
  const figures = el("dl", { class: "figures", id: "figures" });
  const holder = table(COLUMNS, blocks);
  const body = holder.querySelector("tbody");
  drawFigures(figures, head, work, blocks);
  show(main, el("h1", {}, "Newest blocks"), figures, holder);
  let isAsking = false;
  return subscribe("heads", {}, async ({ event, block }) => {
    if (event === "disconnected") {
      blocks = blocks.filter((one) => one.id !== block.id);
    } else if (!blocks.some((one) => one.id === block.id)) {
      blocks = [block, ...blocks].slice(0, SHOWN);
    }
    body.replaceChildren(...blocks.map((one) => makeRow(COLUMNS, one)));
    if (event === "connected") body.firstChild?.classList.add("new");
    if (isAsking) return;
    isAsking = true;
    try {
      const [, newHead, newWork] = await readAll();
      drawFigures(figures, newHead, newWork, blocks);
    } finally {
      isAsking = false;
    }
  });
}

function readAll() {
  return Promise.all([
    call("chain_listBlocks", { limit: SHOWN }), call("chain_head"), call("chain_usefulWork", { window: WINDOW }),
  ]);
}

function drawFigures(holder, head, work, blocks) {
  const timed = blocks.filter((block) => block.height > 1);
  const mean = timed.length ? timed.reduce((sum, block) => sum + block.spacing_ms, 0) / timed.length : 0;
  holder.replaceChildren(
    figure("height", count(head.height)),
    figure("useful share", percent(Number(work.useful_share)), `of ${count(work.blocks)} blocks`),
    figure("burned", work.burn_per_ticket, "nano per ticket"),
    figure("difficulty", count(head.difficulty), "tickets"),
    figure("block time", seconds(mean)),
    figure("waiting", count(head.pool), "transactions"),
    figure("peers", count(head.peers)),
  );
}
