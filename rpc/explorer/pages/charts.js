// Charts over any range of blocks: difficulty, block time, speed, paid share, demand, price, supply and what was burned.

import { call, redraw } from "../api.js";
import { drawChart } from "../chart.js";
import { count, el, percent, shorten, show } from "../dom.js";
import { over, rangeButtons, readSeries, toCredits } from "../series.js";

const POINTS = 240, REDRAW_MS = 4000;

export async function showCharts(main, range = "1000") {
  const page = { range, drawnAt: 0, isGone: false, holder: el("div", { class: "charts" }), note: el("p", { class: "quiet" }) };
  await draw(page);
  show(main, el("div", { class: "tools" }, el("h1", {}, "Charts"), rangeButtons(page.range, (chosen) => {
    page.range = chosen;
    return draw(page);
  })), page.note, page.holder);
  return redraw(page, page.holder, REDRAW_MS, draw);
}

async function draw(page) {
  page.drawnAt = Date.now();
  const [points, params] = await Promise.all([readSeries(page.range, POINTS), call("chain_getParams")]);
  if (page.isGone) return;
  const each = points.length ? Math.round(points.reduce((sum, point) => sum + point.blocks, 0) / points.length) : 0;
  page.note.textContent = each > 1 ? `Each point stands for about ${count(each)} blocks together.` : "Each point is a block.";
  show(page.holder, ...makeCharts(points, params.spacing_ms / 1000));
}

function makeCharts(points, spacing) {
  const series = (value) => [over(points, value)];
  const timed = points.filter((point) => point.spacing_ms > 0);
  const chart = (title, lines, more = {}) => drawChart({ title, lines, isTime: true, ...more });
  return [
    chart("Difficulty, tickets per block", series((one) => Number(one.difficulty))),
    chart("Block time, s", [over(timed, (one) => one.spacing_ms / 1000), over(timed, () => spacing)], { names: ["", "intended"] }),
    chart("Tickets per second", [over(timed, (one) => Number(one.weight) / one.blocks / (one.spacing_ms / 1000))]),
    chart("Paid share", series((one) => Number(one.paid_share)), { format: percent, note: "The part of the mined work that was paid for." }),
    chart("Open demand, tickets", series((one) => one.tickets_open)),
    chart("Jobs not closed yet", series((one) => one.jobs_open)),
    chart("Price of work, credits per 10¹²", series((one) => toCredits(one.price_per_tera)), { note: "What posting a job burns." }),
    chart("Transactions per block", series((one) => one.transactions / one.blocks)),
    chart("Fees per block, credits", series((one) => toCredits(one.fees) / one.blocks)),
    chart("Supply, credits", series((one) => toCredits(one.supply)), { fromZero: false, format: (value) => shortenLong(value) }),
    chart("Burned per block, credits", series((one) => toCredits(one.burned) / one.blocks)),
    chart("Burned by settled jobs, part of the subsidies", series((one) => Number(one.burned_share)), { format: percent }),
  ];
}

// The supply changes little, so that three digits would all be the same.
const shortenLong = (value) => (value >= 1e4 && value < 1e7 ? count(Math.round(value)) : shorten(value));
