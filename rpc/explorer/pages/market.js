// The market: what is offered and by whom, what was paid over time, how long it took, and what a product would cost.

import { call, redraw } from "../api.js";
import { makeCalculator } from "../calculator.js";
import { drawChart } from "../chart.js";
import { accountLink, count, duration, el, jobLink, roughCredits, shorten, show, stat, table } from "../dom.js";
import { over, toCredits } from "../series.js";
import { KIND_NAMES } from "./jobs.js";

const JOBS = 200, SHOWN = 15, POINTS = 200, REDRAW_MS = 5000;
const UNIT_MACS = 2 ** 18, TERA = 1e12;
const KINDS = Object.keys(KIND_NAMES);

const perTera = (nano) => (nano === null ? "–" : shorten(toCredits(nano)));
// Credits per 10^12 multiply-accumulates that a job pays.
export const computePrice = (job) => (job.units ? (toCredits(job.reward) / job.units / UNIT_MACS) * TERA : 0);

const makeKindColumns = (spacing) => [
  ["kind", (kind) => KIND_NAMES[kind.kind]],
  ["open", (kind) => count(kind.open), "number"],
  ["units", (kind) => count(kind.open_units), "number"],
  ["offered", (kind) => roughCredits(kind.open_rewards), "number"],
  ["offered per 10¹²", (kind) => perTera(kind.offered_per_tera), "number"],
  ["paid per 10¹²: low", (kind) => perTera(kind.low_per_tera), "number"],
  ["typical", (kind) => perTera(kind.typical_per_tera), "number"],
  ["high", (kind) => perTera(kind.high_per_tera), "number"],
  ["to claim", (kind) => describeBlocks(kind.blocks_to_claim, spacing), "number"],
  ["to payment", (kind) => describeBlocks(kind.blocks_to_settle, spacing), "number"],
];
const OFFERS = [
  ["job", (job) => jobLink(job.id)],
  ["kind", (job) => KIND_NAMES[job.kind]],
  ["work", (job) => (job.task ? `${count(job.units)} units` : `${job.x.rows} × ${job.x.cols} × ${job.w.rows}`)],
  ["reward", (job) => roughCredits(job.reward), "number"],
  ["per 10¹²", (job) => shorten(computePrice(job)), "number"],
  ["bond", (job) => roughCredits(job.bond), "number"],
  ["until block", (job) => count(job.deadline), "number"],
  ["posted by", (job) => accountLink(job.poster)],
];
const POSTERS = [
  ["account", (one) => accountLink(one.poster)],
  ["open jobs", (one) => count(one.jobs), "number"],
  ["kinds", (one) => [...one.kinds].map((kind) => KIND_NAMES[kind]).join(", ")],
  ["units", (one) => count(one.units), "number"],
  ["offers", (one) => roughCredits(one.reward), "number"],
  ["per 10¹²", (one) => shorten(computePrice(one)), "number"],
];

function describeBlocks(blocks, spacing) {
  if (blocks === null) return "–";
  return el("span", { title: `${blocks} blocks, the median of recent jobs`, class: "whole" }, duration(blocks * spacing));
}

export async function showMarket(main) {
  const page = { kinds: el("div"), charts: el("div", { class: "charts" }), offers: el("div"), posters: el("div"),
    stats: el("dl", { class: "stats" }), drawnAt: 0, isGone: false };
  await draw(page);
  show(main, el("h1", {}, "Market"), page.stats, page.kinds,
    el("p", { class: "quiet" }, "Prices are credits for 10¹² multiply-accumulates. Low, typical and high are "
      + "what a quarter, half and three quarters of the units settled lately were paid, or less. Times are medians, at the network's usual time between blocks."),
    page.charts, makeCalculator(),
    el("h2", {}, "Who offers what"), page.posters, el("h2", {}, "Best paid open jobs"), page.offers);
  return redraw(page, page.charts, REDRAW_MS, draw);
}

async function draw(page) {
  page.drawnAt = Date.now();
  const [market, open, paid, work] = await Promise.all([
    call("job_market"), call("job_list", { state: "open", order: "newest", limit: JOBS }),
    readPaid(), call("chain_usefulWork", { window: 100 })]);
  if (page.isGone) return;
  const offers = [...open.jobs].sort((a, b) => computePrice(b) - computePrice(a));
  show(page.kinds, table(makeKindColumns(market.spacing_ms), market.kinds));
  show(page.offers, table(OFFERS, offers.slice(0, SHOWN), "Nobody offers anything now."));
  show(page.posters, table(POSTERS, groupByPoster(open.jobs).slice(0, SHOWN), "Nobody offers anything now."),
    open.next === null ? "" : el("p", { class: "quiet" }, `Of the newest ${JOBS} open jobs.`));
  const all = market.kinds.reduce((sum, kind) => ({ jobs: sum.jobs + kind.open, reward: sum.reward + BigInt(kind.open_rewards) }),
    { jobs: 0, reward: 0n });
  page.stats.replaceChildren(
    stat("open jobs", market.is_whole ? count(all.jobs) : `over ${count(all.jobs)}`),
    stat("offered", roughCredits(all.reward), "credits in all"),
    stat("posting burns", shorten(toCredits(work.price_per_tera)), "credits per 10¹² multiply-accumulates"),
    stat("jobs settled", count(market.sample), "considered here"));
  const series = (value) => KINDS.map((kind) => paid.jobs.filter((job) => job.kind === kind).map((job) => [job.time, value(job)]));
  const common = { isTime: true, names: KINDS.map((kind) => KIND_NAMES[kind]), hasDots: true };
  show(page.charts,
    drawChart({ ...common, title: "Paid, credits per 10¹²", lines: series(computePrice),
      note: `The last ${paid.jobs.length} settled jobs, at the time of payment.` }),
    drawChart({ ...common, title: "From posting to payment, s", lines: series((job) => job.seconds), note: "The same jobs." }),
    drawChart({ title: "Posting burns, credits per 10¹²", isTime: true, lines: [over(paid.points, (point) => toCredits(point.price_per_tera))],
      note: "It follows the difficulty. What is burned is gone, and no part of the reward." }));
}

// Returns the newest settled jobs, oldest first, each with the time of its payment and the seconds that it took.
async function readPaid() {
  const { jobs } = await call("job_list", { state: "settled", order: "newest", limit: JOBS });
  const { height } = await call("chain_head");
  if (height === 0) return { points: [], jobs: [] };
  const first = Math.max(1, Math.min(height, ...jobs.map((job) => job.posted_at)));
  const { points } = await call("chain_getStats", { first, points: POINTS });
  const toTime = makeClock(points);
  const timed = jobs.map((job) => ({ ...job, time: toTime(job.closed_at), seconds: (toTime(job.closed_at) - toTime(job.posted_at)) / 1000 }));
  return { points, jobs: timed.sort((a, b) => a.time - b.time) };
}

// Returns a function from a height to about its time: exact at the points, and even between them.
export function makeClock(points) {
  return (height) => {
    const at = points.findIndex((point) => point.height >= height);
    if (at <= 0) return points[Math.max(0, at)]?.time_ms ?? 0;
    const [low, high] = [points[at - 1], points[at]];
    return low.time_ms + ((high.time_ms - low.time_ms) * (height - low.height)) / (high.height - low.height);
  };
}

function groupByPoster(jobs) {
  const found = new Map();
  for (const job of jobs) {
    const one = found.get(job.poster) ?? { poster: job.poster, jobs: 0, units: 0, reward: 0n, kinds: new Set() };
    one.jobs += 1;
    one.units += job.units;
    one.reward += BigInt(job.reward);
    one.kinds.add(job.kind);
    found.set(job.poster, one);
  }
  return [...found.values()].sort((a, b) => (b.reward > a.reward ? 1 : -1));
}
