// A block: its stats, the product that was multiplied for it, and its transactions.

import { call } from "../api.js";
import { accountLink, bytes, copyable, count, credits, el, facts, fee, jobLink, link, show, table, time, txLink } from "../dom.js";
import { describeProduct, paidShare } from "./blocks.js";

const FINALITY = { final: "final", justified: "justified", none: "not final yet" };
const TRANSACTION_COLUMNS = [
  ["transaction", (tx) => txLink(tx.id)],
  ["kind", (tx) => tx.kind.replaceAll("_", " ")],
  ["from", (tx) => accountLink(tx.sender)],
  ["to", (tx) => describeReceiver(tx.payload)],
  ["credits", (tx) => describeAmount(tx.payload), "number"],
  ["fee", (tx) => fee(tx.fee), "number"],
];

export async function showBlock(main, name) {
  const block = await call("chain_getBlock", { block: /^\d{1,15}$/.test(name) ? Number(name) : name });
  const { header } = block;
  const head = await call("chain_head");
  const summary = await readSummary(block);
  const job = await findJob(summary);
  show(main,
    el("h1", {}, `Block ${block.height}`),
    el("nav", { class: "tools", "aria-label": "Neighbours" },
      block.height > 0 ? link(`#/block/${header.parent}`, "← previous", { "data-key": "ArrowLeft" }) : null,
      block.height < head.height && header.status === "connected"
        ? link(`#/block/${block.height + 1}`, "next →", { "data-key": "ArrowRight" }) : null,
      header.seal ? link(`#/certificate/${block.id}`, "Check the certificate") : null),
    el("div", { class: "card" }, facts([
      ["id", copyable(block.id, "the block's id")],
      ["parent", block.height > 0 ? copyable(header.parent, "the parent's id", `#/block/${header.parent}`) : "none, this is the genesis block"],
      ["time", time(header.time_ms)],
      ["status", summary ? `${FINALITY[summary.finality]}, ${count(header.confirmations)} confirmations` : header.status],
      ["mined by", copyable(header.beneficiary, "the miner's address", `#/account/${header.beneficiary}`)],
      ["product", summary ? describeProduct(summary) : "–", summary?.product ? (job ? " for job " : ", which belongs to none of the newest 200 jobs") : null,
        job ? jobLink(job.id) : null],
      ["paid work", summary ? paidShare(summary) : "–"],
      ["difficulty", `${count(header.difficulty)} tickets`],
      ["size", bytes(block.size)],
    ])),
    block.stats ? el("div", { class: "card" }, facts(listStats(block.stats))) : null,
    el("h2", {}, block.transactions.length === 1 ? "1 transaction" : `${block.transactions.length} transactions`),
    table(TRANSACTION_COLUMNS, block.transactions, "This block has no transactions."),
    el("details", { class: "card" }, el("summary", {}, "Header as JSON"),
      el("pre", { class: "scroll mono" }, JSON.stringify(header, null, 2))));
}

async function readSummary(block) {
  if (block.header.status !== "connected") return null;
  const list = await call("chain_listBlocks", { first: block.height, limit: 1 });
  return list.blocks[0];
}

// Returns the job whose product was multiplied for the block, if it is among the newest 200.
async function findJob(summary) {
  if (!summary?.product) return null;
  const { jobs } = await call("job_list", { order: "newest", limit: 200 });
  return jobs.find((job) => job.x?.id === summary.product.x && job.w.id === summary.product.w) ?? null;
}

function listStats(stats) {
  return [
    ["weight", `${count(stats.weight)} tickets`],
    ["paid work settled", `${count(stats.tickets_settled)} tickets`],
    ["paid work posted", `${count(stats.tickets_posted)} tickets`],
    stats.settled.length ? ["jobs settled", ...stats.settled.flatMap((job) => [jobLink(job), " "])] : null,
    ["minted", `${credits(stats.subsidy)} credits`],
    ["fees", `${credits(stats.fees)} credits`],
    ["burned", `${credits(stats.burned)} credits, ${credits(stats.posted_burn)} of them by jobs posted`],
    ["supply after the block", `${credits(stats.supply)} credits`],
  ];
}

function describeReceiver({ to, payments, job }) {
  if (to) return accountLink(to);
  if (payments) return payments.length === 1 ? "1 receiver" : `${count(payments.length)} receivers`;
  return job ? jobLink(job) : "";
}

// The amount that a transaction sends or offers; none for those that move what the chain computes.
function describeAmount({ amount, total, reward, bond }) {
  const found = amount ?? total ?? reward ?? bond;
  return found ? el("span", { class: "whole" }, credits(found)) : "";
}
