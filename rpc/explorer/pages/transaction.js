// A transaction, in a block or in the pool.

import { call } from "../api.js";
import { accountLink, blockLink, count, credits, el, facts, jobLink, show, table } from "../dom.js";

export async function showTransaction(main, id) {
  const found = await call("chain_getTransaction", { id });
  const { tx } = found;
  show(main,
    el("h1", {}, `Transaction: ${tx.kind.replaceAll("_", " ")}`),
    el("div", { class: "card" }, facts([
      ["id", el("code", {}, tx.id)],
      ["status", found.status === "pending" ? "in the pool" : `in block `,
        found.block ? blockLink(found.block, String(found.height)) : null,
        found.block ? `, ${count(found.confirmations)} confirmations` : null],
      ["from", accountLink(tx.sender)],
      ["nonce", count(tx.nonce)],
      ["fee", `${credits(tx.fee)} credits`],
      ["size", `${count(tx.size)} bytes`],
      tx.kind === "post_job" ? ["job", jobLink(tx.id)] : null,
      ...describe(tx.payload),
    ])),
    el("details", { class: "card" }, el("summary", {}, "As JSON"),
      el("pre", { class: "scroll mono" }, JSON.stringify(tx, null, 2))));
}

const AMOUNTS = new Set(["amount", "reward", "bond", "max_burn", "total"]);

const paymentTable = (payments) => table([
  ["to", (payment) => accountLink(payment.to)],
  ["credits", (payment) => credits(payment.amount), "number"],
], payments);

function describe(payload) {
  return Object.entries(payload).map(([name, value]) => {
    const title = name.replaceAll("_", " ");
    if (name === "payments") return [`payments (${value.length})`, paymentTable(value)];
    if (name === "to") return [title, accountLink(value)];
    if (name === "job") return [title, jobLink(value)];
    if (AMOUNTS.has(name)) return [title, `${credits(value)} credits`];
    if (value && typeof value === "object") {
      const shape = value.rows === undefined ? JSON.stringify(value) : `${value.rows} × ${value.cols}, ${value.id}`;
      return [title, el("code", {}, shape)];
    }
    return [title, el("span", { class: "mono" }, String(value))];
  });
}
