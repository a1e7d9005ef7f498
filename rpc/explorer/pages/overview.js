// The front page: the chain as a strip of blocks, what work costs, how much is asked for, and how much of it was paid.

import { call, subscribe } from "../api.js";
import { drawChart } from "../chart.js";
import { ago, count, duration, el, jobLink, link, percent, roughCredits, shorten, show, stat, table } from "../dom.js";
import { cutCredits } from "../format.js";
import { over, rangeButtons, readSeries, toCredits } from "../series.js";
import { computePaidShare } from "../share.js";
import { SHORT_COLUMNS } from "./blocks.js";
import { KIND_NAMES, STATE_TAG } from "./jobs.js";

const BLOCKS = 12, POINTS = 120, JOBS = 8;
const MARKET_MS = 8000, NEXT_MS = 500;
const JOB_COLUMNS = [
  ["job", (job) => jobLink(job.id)],
  ["kind", (job) => KIND_NAMES[job.kind]],
  ["reward", (job) => roughCredits(job.reward), "number"],
  ["state", STATE_TAG],
];

export async function showOverview(main) {
  const page = { range: "1000", blocks: [], readAt: 0, market: null, isReading: false, isGone: false,
    stats: el("dl", { class: "stats", id: "stats" }), strip: el("ol", { class: "strip", "aria-label": "The newest blocks, newest first" }),
    charts: el("div", { class: "charts" }), newest: el("div"), jobs: el("div"), next: makeNext() };
  await Promise.all([readHead(page), readMarket(page), readBlocks(page), drawCharts(page), drawJobs(page)]);
  drawStats(page);
  drawBlocks(page);
  show(main, el("h1", { class: "unseen" }, "Overview"), page.strip, page.stats,
    el("div", { class: "tools" }, el("h2", {}, "The market"), rangeButtons(page.range, (range) => {
      page.range = range;
      return drawCharts(page);
    })), page.charts,
    el("div", { class: "halves" },
      el("section", {}, el("h2", {}, "Newest blocks"), page.newest, el("p", {}, link("#/blocks", "All blocks"))),
      el("section", {}, el("h2", {}, "Newest jobs"), page.jobs, el("p", {}, link("#/jobs", "All jobs"), " · ", link("#/market", "The market")))));
  const timer = setInterval(() => fillNext(page), NEXT_MS);
  const unsubscribe = subscribe("heads", {}, (data) => follow(page, data));
  return () => {
    page.isGone = true;
    clearInterval(timer);
    unsubscribe();
  };
}

// Takes a block over into the strip at once, and reads the rest again.
async function follow(page, { event, block }) {
  page.blocks = page.blocks.filter((one) => one.id !== block.id && one.height < block.height);
  if (event === "connected") page.blocks.unshift(block);
  page.blocks.length = Math.min(page.blocks.length, BLOCKS);
  drawBlocks(page);
  if (page.isReading) return;
  page.isReading = true;
  try {
    await readHead(page);
    if (Date.now() - page.readAt < MARKET_MS) return;
    await Promise.all([readMarket(page), drawJobs(page), page.charts.contains(document.activeElement) ? null : drawCharts(page)]);
    drawStats(page);
  } finally {
    page.isReading = false;
  }
}

async function readBlocks(page) {
  page.blocks = (await call("chain_listBlocks", { limit: BLOCKS })).blocks;
}

async function readHead(page) {
  [page.head, page.work] = await Promise.all([call("chain_head"), call("chain_usefulWork", { window: 100 })]);
  if (page.market) drawStats(page);
}

// The market costs the node more than the rest, so it is not read with every block.
async function readMarket(page) {
  page.readAt = Date.now();
  page.market = await call("job_market");
}

function drawStats(page) {
  const { head, work, market } = page;
  const open = market.kinds.reduce((sum, kind) => sum + kind.open, 0);
  const offered = market.kinds.reduce((sum, kind) => sum + BigInt(kind.open_rewards), 0n);
  const typical = market.kinds.find((kind) => kind.typical_per_tera !== null);
  page.stats.replaceChildren(
    stat("height", count(head.height), `${count(head.final_height)} are final`),
    stat("price of work", shorten(toCredits(work.price_per_tera)), "credits burned per 10¹² multiply-accumulates"),
    stat("reward paid", typical ? shorten(toCredits(typical.typical_per_tera)) : "–", "credits per 10¹²"),
    stat("open jobs", market.is_whole ? count(open) : `over ${count(open)}`, `offering ${cutCredits(offered)} credits`),
    stat("paid share", percent(Number(work.paid_share)), `of the last ${count(work.blocks)} blocks`),
    stat("difficulty", shorten(Number(head.difficulty)), "tickets a block"),
    stat("peers", count(head.peers)));
  fillNext(page);
}

// The block that is being mined: it fills with the time that blocks usually take, and says what waits for it.
function makeNext() {
  const fill = el("i"), text = el("span"), passed = el("small");
  return { fill, text, passed, box: el("li", {}, el("a", { class: "block next", href: "#/pending" },
    el("span", { class: "fill", "aria-hidden": "true" }, fill), el("b", {}, "next"), text, passed)) };
}

function fillNext({ next, head, market, blocks }) {
  const newest = blocks[0];
  if (!newest || !head || !market) return;
  const passed = Math.max(0, Date.now() - newest.time_ms);
  next.fill.style.height = `${Math.min(100, (100 * passed) / market.spacing_ms)}%`;
  next.text.textContent = `${count(head.pool)} waiting`;
  next.passed.textContent = newest.height === 0 ? "no block yet" : `for ${duration(passed)}`;
}

function drawBlocks(page) {
  show(page.newest, table(SHORT_COLUMNS, page.blocks.slice(0, JOBS)));
  const known = new Set([...page.strip.querySelectorAll("[data-id]")].map((one) => one.dataset.id));
  const isFirst = known.size === 0;
  show(page.strip, page.next.box, ...page.blocks.map((block) => drawBlock(block, !isFirst && !known.has(block.id))));
  fillNext(page);
}

function drawBlock(block, isNew) {
  const share = computePaidShare([block]), fill = el("i");
  fill.style.height = `${Math.max(2, 100 * share)}%`;
  const kind = `block ${block.finality}${isNew ? " new" : ""}`;
  return el("li", { "data-id": block.id }, el("a", { class: kind, href: `#/block/${block.id}`,
    title: `${percent(share)} of its work was paid; ${block.finality === "final" ? "final" : "not final yet"}` },
  el("span", { class: "fill", "aria-hidden": "true" }, fill), el("b", {}, count(block.height)),
  el("span", {}, `${count(block.transactions)} ${block.transactions === 1 ? "tx" : "txs"}`), el("span", {}, `${percent(share)} paid`), el("small", {}, ago(block.time_ms))));
}

async function drawCharts(page) {
  const points = await readSeries(page.range, POINTS);
  if (page.isGone) return;
  show(page.charts,
    drawChart({ title: "Price of work, credits per 10¹²", isTime: true, lines: [over(points, (one) => toCredits(one.price_per_tera))],
      note: "What posting a job burns for 10¹² multiply-accumulates." }),
    drawChart({ title: "Open demand, tickets", isTime: true, lines: [over(points, (one) => one.tickets_open)],
      note: "The tickets of jobs that are posted and not paid or closed." }),
    drawChart({ title: "Paid share", isTime: true, format: percent, lines: [over(points, (one) => Number(one.paid_share))],
      note: "The part of the mined work that was paid for." }));
}

async function drawJobs(page) {
  const { jobs } = await call("job_list", { order: "newest", limit: JOBS });
  show(page.jobs, table(JOB_COLUMNS, jobs, "No job was posted yet."));
}
