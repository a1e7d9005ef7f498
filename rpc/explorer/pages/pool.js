// The pool of this node: how fast it is, what it earned, what it paid, and one member's account, computed again here.

import { call } from "../api.js";
import { accountLink, ago, blockLink, count, credits, el, jobLink, roughCredits, show, stat, table, txLink } from "../dom.js";
import { checkIncome } from "../work/pool.js";

const EVERY_MS = 5000;
const PAGE = 100, PAGES = 10;
const STATES = { young: "may be undone", earned: "earned", undone: "undone" };
const PAYOUT_STATES = { sent: "sent", settled: "settled", void: "void, owed again" };
const MEMBERS = [
  ["address", (rate) => link(rate.address)],
  ["tickets a second", (rate) => count(Math.round(rate.tickets_per_second)), "number"],
];
const INCOMES = [
  ["height", (income) => blockLink(income.block, String(income.height)), "number"],
  ["from", (income) => (income.job ? jobLink(income.job) : "block")],
  ["credits", (income) => roughCredits(income.amount), "number"],
  ["members", (income) => count(income.parts.length), "number"],
  ["luck", (income) => (income.luck === null ? "" : percentOf(income.luck)), "number"],
  ["state", (income) => STATES[income.state]],
  ["age", (income) => ago(income.time_ms)],
];
const PAYOUTS = [
  ["transaction", (payout) => txLink(payout.tx)],
  ["credits", (payout) => roughCredits(payout.charged), "number"],
  ["fee", (payout) => credits(payout.fee), "number"],
  ["receivers", (payout) => count(payout.receivers), "number"],
  ["state", (payout) => PAYOUT_STATES[payout.state]],
  ["age", (payout) => ago(payout.time_ms)],
];
const CONNECTIONS = [
  ["name", (each) => each.name],
  ["kind", (each) => `${each.kind}, ${each.backend}`],
  ["tickets a second", (each) => count(Math.round(each.tickets_per_second)), "number"],
  ["as it says", (each) => count(each.told), "number"],
  ["tickets of a share", (each) => count(each.share_tickets), "number"],
];

const percentOf = (part) => `${Math.round(100 * part)} %`;
const link = (address) => el("a", { class: "mono", href: `#/pool/${address}` }, address);

// Shows the pool, or one member of it if an address is given.
export async function showPool(main, address) {
  const draw = () => (address ? drawMember(main, address) : drawPool(main));
  await draw();
  const timer = setInterval(() => draw().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

async function drawPool(main) {
  const [info, window, payouts] = await Promise.all([
    call("pool_info"), call("pool_window", { limit: 20 }), call("pool_payouts", { limit: 20 })]);
  const typed = document.getElementById("member")?.value ?? "";
  const input = el("input", { id: "member", maxlength: "100", autocomplete: "off", spellcheck: "false",
    "aria-label": "Address of a member", placeholder: "Address of a member" });
  input.value = typed;
  const form = el("form", {}, input, " ", el("button", {}, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = `#/pool/${encodeURIComponent(input.value.trim())}`;
  });
  show(main,
    el("h1", {}, "Pool"),
    el("p", {}, "Those who multiply for this node are paid for their shares of the tickets. ",
      el("a", { href: "work/" }, "Work in this browser"), "."),
    el("dl", { class: "stats" },
      stat("speed", count(Math.round(info.tickets_per_second)), "tickets/s"),
      stat("the node's own", count(Math.round(info.own_tickets_per_second)), "of these"),
      stat("workers", count(info.connections), "connected"),
      stat("members", count(info.members), "addresses"),
      stat("shares", count(info.shares), `${count(info.tickets)} tickets`),
      stat("earned", roughCredits(info.earned), "credits"),
      stat("blocks", count(info.blocks), `luck ${info.luck === null ? "–" : percentOf(info.luck)}`),
      stat("fee", `${info.fee_ppm / 10000} %`, `from ${credits(info.least_payout)} on`)),
    form,
    el("h2", {}, "Members of the last ten minutes"), table(MEMBERS, info.rates, "Nobody multiplies."),
    el("h2", {}, "Income"), table(INCOMES, window.incomes, "The pool has found no block yet."),
    el("h2", {}, "Payouts"), table(PAYOUTS, payouts.payouts, "Nothing was paid yet."),
    el("p", { class: "quiet" }, `Income is divided by the last ${count(info.window_tickets)} tickets. `,
      "A member that finds blocks and withholds them costs all members alike; no pool can prevent that."));
}

async function drawMember(main, address) {
  const [member, check] = await Promise.all([call("pool_worker", { address }), recompute(address)]);
  const owed = BigInt(member.owed);
  show(main,
    el("h1", {}, "Member of the pool"), el("p", {}, accountLink(member.address)),
    el("dl", { class: "stats" },
      stat("speed", count(Math.round(member.tickets_per_second)), "tickets/s"),
      stat("shares", count(member.shares), `${count(member.tickets)} tickets`),
      stat("earned", change(member.earned), "credits"),
      stat("may be undone", roughCredits(member.young), "credits"),
      stat("owed", change(owed), "credits"),
      stat("on its way", roughCredits(member.pending), "credits"),
      stat("paid", roughCredits(member.paid), "credits")),
    el("h2", {}, "Computed again here"),
    el("p", {}, describeCheck(check, BigInt(member.earned))),
    el("h2", {}, "Its workers"), table(CONNECTIONS, member.connections, "None is connected."),
    el("p", {}, el("a", { href: "#/pool" }, "All of the pool")));
}

const change = (nano) => (BigInt(nano) < 0n ? el("span", { class: "bad" }, `−${credits(-BigInt(nano))}`) : roughCredits(nano));

// Returns what an address should have earned by the windows that the pool publishes.
async function recompute(address) {
  let before = null, earned = 0n, blocks = 0, wrong = 0;
  for (let page = 0; page < PAGES; page += 1) {
    const found = await call("pool_window", before === null ? { limit: PAGE } : { limit: PAGE, before });
    for (const income of found.incomes.filter((each) => each.state === "earned")) {
      const { fits, credit } = checkIncome(income, address);
      if (!fits) wrong += 1;
      earned += credit;
      blocks += 1;
    }
    before = found.next;
    if (before === null) break;
  }
  return { earned, blocks, wrong, isWhole: before === null };
}

function describeCheck(check, told) {
  const sums = check.wrong ? el("span", { class: "bad" }, `${check.wrong} windows do not add up. `) : "";
  if (!check.isWhole) {
    return el("span", {}, sums, `The last ${count(check.blocks)} incomes give this address ${credits(check.earned)} credits.`);
  }
  return check.earned === told
    ? el("span", {}, sums, el("span", { class: "good" }, "The same: "), `${count(check.blocks)} incomes give this address ${credits(told)} credits.`)
    : el("span", { class: "bad" }, sums, `The pool says ${credits(told)} credits, and its own windows give ${credits(check.earned)}.`);
}
