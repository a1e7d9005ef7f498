// The newest blocks, live: the product of each, how much of its work was paid for, and older ones a page at a time.

import { call, subscribe } from "../api.js";
import { accountLink, ago, blockLink, count, el, finalityTag, jobLink, makeRow, percent, seconds, show, table } from "../dom.js";
import { computePaidShare } from "../share.js";

const SHOWN = 30;

export const describeProduct = (block) => {
  const made = block.product;
  return made ? `${made.m} × ${made.k} × ${made.n}` : "genesis";
};

export function paidShare(block) {
  const share = computePaidShare([block]);
  const fill = el("i");
  fill.style.width = `${100 * share}%`;
  return el("span", { class: "whole", title: `${block.tickets_settled ?? 0} tickets of paid work settled` },
    el("span", { class: "bar", "aria-hidden": "true" }, fill), percent(share));
}

export const SHORT_COLUMNS = [
  ["height", (block) => blockLink(block.id, count(block.height)), "number"],
  ["product", describeProduct],
  ["paid work", paidShare],
  ["block time", (block) => seconds(block.spacing_ms), "number"],
];
const COLUMNS = [
  SHORT_COLUMNS[0],
  ["age", (block) => ago(block.time_ms)],
  ...SHORT_COLUMNS.slice(1),
  ["mined by", (block) => accountLink(block.beneficiary)],
  ["jobs settled", describeSettled],
  ["txs", (block) => count(block.transactions), "number"],
  ["state", finalityTag],
];

function describeSettled({ settled }) {
  if (settled.length === 0) return "";
  return el("span", {}, jobLink(settled[0]), settled.length > 1 ? ` and ${count(settled.length - 1)} more` : "");
}

export async function showBlocks(main, from = "") {
  const first = /^\d{1,15}$/.test(from) ? Number(from) : null;
  const page = await call("chain_listBlocks", { limit: SHOWN, ...(first !== null && { first }) });
  let blocks = page.blocks;
  const holder = table(COLUMNS, blocks), body = holder.querySelector("tbody");
  const older = page.next === null ? null : el("a", { href: `#/blocks/${page.next}`, "data-key": "ArrowRight" }, "Older blocks →");
  show(main, el("h1", {}, first === null ? "Newest blocks" : `Blocks up to ${count(first)}`), holder,
    el("nav", { class: "tools", "aria-label": "Other blocks" },
      first === null ? null : el("a", { href: "#/blocks", "data-key": "ArrowLeft" }, "← Newest blocks"), older));
  if (first !== null) return null;
  return subscribe("heads", {}, ({ event, block }) => {
    if (event === "disconnected") {
      blocks = blocks.filter((one) => one.id !== block.id);
    } else if (!blocks.some((one) => one.id === block.id)) {
      blocks = [block, ...blocks].slice(0, SHOWN);
    }
    show(body, blocks.map((one) => makeRow(COLUMNS, one)));
    if (event === "connected") body.firstChild?.classList.add("new");
  });
}
