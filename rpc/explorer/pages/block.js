// One block: what it did, what was multiplied for it, its transactions.

import { call } from "../api.js";
import { accountLink, blockLink, count, credits, el, facts, jobLink, link, show, table, time, txLink } from "../dom.js";
import { describeProduct, useful } from "./blocks.js";

export const TRANSACTION_COLUMNS = [
  ["transaction", (tx) => txLink(tx.id)],
  ["kind", (tx) => tx.kind.replaceAll("_", " ")],
  ["from", (tx) => accountLink(tx.sender), "wide"],
  ["fee", (tx) => credits(tx.fee), "number"],
];

export async function showBlock(main, name) {
  const block = await call("chain_getBlock", { block: /^\d{1,15}$/.test(name) ? Number(name) : name });
  const { header } = block;
  const head = await call("chain_head");
  const line = await readLine(block);
  const job = await findJob(line);
  show(main,
    el("h1", {}, `Block ${block.height}`),
    el("nav", { class: "tools", "aria-label": "Neighbours" },
      block.height > 0 ? link(`#/block/${header.parent}`, "← before", { "data-key": "ArrowLeft" }) : null,
      block.height < head.height && header.status === "connected"
        ? link(`#/block/${block.height + 1}`, "after →", { "data-key": "ArrowRight" }) : null,
      header.seal ? link(`#/certificate/${block.id}`, "Check its certificate here") : null),
    el("div", { class: "card" }, facts([
      ["id", el("code", {}, block.id)],
      ["parent", block.height > 0 ? blockLink(header.parent, header.parent) : "none: this is genesis"],
      ["time", time(header.time_ms)],
      ["finality", line ? `${line.finality}, ${count(header.confirmations)} confirmations` : header.status],
      ["won by", accountLink(header.beneficiary), header.uses_merit ? " with merit" : " without merit"],
      ["multiplied", line ? describeProduct(line) : "–", line?.product ? (job ? " for job " : ", nobody's job among the newest") : null,
        job ? jobLink(job.id) : null],
      ["paid work", line ? useful(line) : "–"],
      ["difficulty", `${count(header.difficulty)} tickets`],
      ["size", `${count(block.size)} bytes`],
    ])),
    block.stats ? el("div", { class: "card" }, facts(listStats(block.stats))) : null,
    el("h2", {}, block.transactions.length === 1 ? "1 transaction" : `${block.transactions.length} transactions`),
    table(TRANSACTION_COLUMNS, block.transactions, "This block holds none."),
    el("details", { class: "card" }, el("summary", {}, "All of the header"),
      el("pre", { class: "scroll mono" }, JSON.stringify(header, null, 2))));
}

async function readLine(block) {
  if (block.header.status !== "connected") return null;
  const list = await call("chain_listBlocks", { first: block.height, limit: 1 });
  return list.blocks[0];
}

// The job whose product was multiplied for the block, where it is among the newest.
async function findJob(line) {
  if (!line?.product) return null;
  const { jobs } = await call("job_list", { order: "newest", limit: 200 });
  return jobs.find((job) => job.x.id === line.product.x && job.w.id === line.product.w) ?? null;
}

function listStats(stats) {
  return [
    ["stands for", `${count(stats.weight)} tickets`],
    ["paid work settled", `${count(stats.tickets_settled)} tickets`],
    ["posted", `${count(stats.tickets_posted)} tickets`],
    stats.settled.length ? ["jobs settled", ...stats.settled.flatMap((job) => [jobLink(job), " "])] : null,
    ["minted", `${credits(stats.subsidy)} credits`],
    ["fees", `${credits(stats.fees)} credits`],
    ["burned", `${credits(stats.burned)} credits, ${count(stats.base_fee)} nano per ticket`],
    ["supply after it", `${credits(stats.supply)} credits`],
  ];
}
