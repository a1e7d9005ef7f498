// For whom the page works, and what the pool divided lately, computed again here from what it publishes: a pool that counts
// wrong is seen.

import { call } from "../api.js";
import { toHex } from "../bytes.js";
import { accountLink, blockLink, count, el, jobLink, roughCredits, show, table } from "../dom.js";
import { encodeAddress } from "./address.js";

const LISTED = 10;
const MILLION = 1_000_000n;

// Returns pool_info, or null if the node is no pool.
export async function findPool() {
  return call("pool_info", {}, { isShown: false }).catch(() => null);
}

// Returns terms and their descriptions: for whom a page works.
export function describeWork({ hrp, welcome, template, pool, piece }) {
  const rows = [
    ["Network", welcome.network],
    ["Blocks pay to", lead(accountLink(encodeAddress(hrp, welcome.beneficiary)))],
    ["Now working on", template ? `block ${count(template.height)}` : "–"],
    ["On top of", template ? lead(blockLink(toHex(template.parent))) : "–"],
    ...(pool ? describePool(pool) : []),
    ["Multiplying", piece ? describePiece(piece) : "fillers, which nobody needs but for their tickets"],
  ];
  return rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
}

// A piece does not say whose job it is of.
function describePiece({ first, last, x, w }) {
  const rows = `rows ${count(16 * first)} to ${count(Math.min(16 * last, x.ref.rows) - 1)}`;
  return `${rows} of a product of ${count(x.ref.rows)} × ${count(w.ref.rows)}, ${count(x.ref.cols)} deep`;
}

function describePool(pool) {
  return [
    ["The pool keeps", `${pool.fee_ppm / 10_000} % of what its blocks earn`],
    ["It pays", el("span", {}, "what it owes an address, from ", roughCredits(pool.least_payout), " credits on")],
  ];
}

// Links of the explorer's pages lead one folder up from here.
function lead(anchor) {
  anchor.setAttribute("href", `../${anchor.getAttribute("href")}`);
  return anchor;
}

// Returns {fits, tickets, credit} of one address in one income of pool_window. An income is divided by tickets: each address
// gets (amount - fee) * tickets / of, rounded down. All tickets of a block's window together are `of`, and those of a job's pieces
// at most, since some may be the pool's own.
export function checkIncome(income, address) {
  const amount = BigInt(income.amount), of = BigInt(income.of), fee = (amount * BigInt(income.fee_ppm)) / MILLION;
  const compute = (part) => (of ? ((amount - fee) * BigInt(part.tickets)) / of : 0n);
  const sum = income.parts.reduce((before, part) => before + BigInt(part.tickets), 0n);
  const fits = income.parts.every((part) => BigInt(part.credit) === compute(part))
    && (income.job === null ? sum === of : sum <= of);
  const own = income.parts.find((part) => part.address === address);
  return { fits, tickets: BigInt(own?.tickets ?? 0), credit: own ? compute(own) : 0n };
}

// Fills `holder` with the newest incomes, and with what `address` has of each.
export async function showIncomes(holder, address) {
  const [{ incomes }, worker] = await Promise.all(
    [call("pool_window", { limit: LISTED }), call("pool_worker", { address })]);
  const rows = incomes.map((income) => ({ income, ...checkIncome(income, address) }));
  show(holder,
    el("p", {}, `${count(worker.shares)} shares of your address count so far, for ${count(worker.tickets)} tickets. `,
      lead(accountLink(address)), " has what was paid."),
    table([
      ["from", ({ income }) => lead(income.job ? jobLink(income.job) : blockLink(income.block, `block ${count(income.height)}`))],
      ["credits", ({ income }) => roughCredits(income.amount), "number"],
      ["your tickets", ({ tickets }) => count(tickets), "number"],
      ["your part", ({ credit }) => roughCredits(credit), "number"],
      ["state", ({ income }) => income.state],
      ["computed again", ({ fits }) => (fits ? el("span", { class: "good" }, "✓ fits") : el("span", { class: "bad" }, "✗ does not fit"))],
    ], rows, "The pool has found no block yet."));
}
