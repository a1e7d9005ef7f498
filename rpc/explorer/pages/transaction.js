// A transaction, in a block or in the pool: what it does, what it moved, and if it is final.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, change, copyable, count, credits, el, facts, fee, jobLink, show, table, time } from "../dom.js";

export const FINALITY = { final: "final: never undone", justified: "justified: two thirds of the votes are for it", none: "not final yet" };
const HASH = /^[0-9a-f]{64}$/;
const AMOUNTS = new Set(["amount", "reward", "bond", "max_burn", "total"]);
const MOVEMENTS = [
  ["account", (row) => accountLink(row.address)],
  ["reason", (row) => row.reason.replaceAll("_", " ")],
  ["balance", (row) => change(row.balance), "number"],
  ["bonded", (row) => change(row.bonded), "number"],
];
const MAX_OTHERS = 8; // The movements of so many accounts beside the sender are read.

export async function showTransaction(main, id) {
  const status = el("div", { class: "card" }), moved = el("div");
  const draw = async () => {
    const found = await call("chain_getTransaction", { id });
    const block = found.block ? await call("chain_getHeader", { block: found.block }) : null;
    show(status, facts(listFacts(found, block)));
    show(moved, ...(await drawMovements(found)));
    return found;
  };
  const { tx } = await draw();
  show(main, el("h1", {}, `Transaction: ${tx.kind.replaceAll("_", " ")}`), status,
    el("h2", {}, "What it says"), el("div", { class: "card" }, facts(describe(tx))), moved,
    el("details", { class: "card" }, el("summary", {}, "As JSON"), el("pre", { class: "scroll mono" }, JSON.stringify(tx, null, 2))));
  return subscribe("heads", {}, draw);
}

function listFacts(found, block) {
  const { tx } = found;
  return [
    ["id", copyable(tx.id, "the transaction's id")],
    ["status", el("b", { class: found.finality === "final" ? "good" : "" },
      found.status === "pending" ? "waits in the pool" : FINALITY[found.finality])],
    found.block ? ["block", blockLink(found.block, count(found.height)),
      `, transaction ${count(found.index + 1)} of it, ${count(found.confirmations)} ` + (found.confirmations === 1 ? "confirmation" : "confirmations")] : null,
    block ? ["time", time(block.time_ms)] : null,
    ["from", copyable(tx.sender, "the sender's address", `#/account/${tx.sender}`)],
    tx.multisig ? ["signed by", `${tx.multisig.signed_by.length} of ${tx.multisig.keys.length} keys; ${tx.multisig.threshold} are needed`] : null,
    ["number", `${count(tx.nonce)}, of this sender`],
    ["fee", fee(tx.fee), ` for ${count(tx.size)} bytes, ${(Number(tx.fee) / tx.size).toFixed(2)} nano per byte`],
    ["post_job", "post_task"].includes(tx.kind) ? ["job", jobLink(tx.id)] : null,
  ];
}

const paymentTable = (payments) => table([
  ["to", (payment) => copyable(payment.to, "the receiver's address", `#/account/${payment.to}`)],
  ["credits", (payment) => credits(payment.amount), "number"],
], payments);

// Returns names and values of a payload, with those of what it contains, such as the task of a job, in one list.
function flatten(payload, above = "") {
  return Object.entries(payload).flatMap(([name, value]) => {
    const isPart = value !== null && typeof value === "object" && !Array.isArray(value) && value.rows === undefined;
    return isPart ? flatten(value, `${above}${name}_`) : [[`${above}${name}`, value]];
  });
}

function describe({ payload }) {
  const rows = flatten(payload).map(([name, value]) => {
    const title = name.replaceAll("_", " ");
    if (value === null) return null;
    if (name === "payments") return [`payments (${value.length})`, paymentTable(value)];
    if (name === "to") return [title, copyable(value, "the receiver's address", `#/account/${value}`)];
    if (name === "job") return [title, copyable(value, "the job's id", `#/job/${value}`)];
    if (AMOUNTS.has(name)) return [title, el("b", { class: "whole" }, credits(value)), " credits"];
    if (Array.isArray(value) && value.every((one) => HASH.test(one))) {
      return [title, ...value.map((one, i) => el("div", {}, copyable(one, `${title}, number ${i + 1}`)))];
    }
    if (typeof value === "object") {
      return value.rows === undefined ? [title, el("code", {}, JSON.stringify(value))]
        : [title, `${value.rows} × ${value.cols} `, copyable(value.id, `the id of ${title}`, `#/matrix/${value.id}`)];
    }
    return [title, el("span", { class: "mono" }, String(value))];
  });
  return rows.some(Boolean) ? rows : [["content", "nothing but its kind"]];
}

// Returns a table of what the transaction moved, as the ledger recorded it on the accounts that it names.
async function drawMovements({ tx, height, index }) {
  if (height === null) return [el("p", { class: "quiet" }, "Nothing has moved yet. The amounts are recorded with the block that takes it.")];
  const others = new Set();
  if (tx.payload.to) others.add(tx.payload.to);
  for (const payment of tx.payload.payments ?? []) others.add(payment.to);
  others.delete(tx.sender);
  const place = index + 1, addresses = [tx.sender, ...[...others].slice(0, MAX_OTHERS)];
  const pages = await Promise.all(addresses.map((address) =>
    call("state_getHistory", { address, limit: 1, before: `${height}-${place + 1}` }, { isShown: address === tx.sender })));
  const rows = pages.flatMap((page, i) => page.entries.filter((entry) => entry.height === height && entry.place === place)
    .flatMap((entry) => entry.movements.map((movement) => ({ ...movement, address: addresses[i] }))));
  const seen = new Set(addresses);
  const named = [...new Set(rows.map((row) => row.counterparty).filter((one) => one && !seen.has(one)))];
  return [el("h2", {}, "What it moved"), table(MOVEMENTS, rows, "The records of this block are not on this node."),
    others.size > MAX_OTHERS ? el("p", { class: "quiet" }, `The other ${count(others.size - MAX_OTHERS)} receivers got what is listed above.`) : "",
    named.length ? el("p", { class: "quiet" }, "Also concerned: ", ...named.flatMap((one) => [accountLink(one), " "])) : ""];
}
