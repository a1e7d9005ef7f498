// Charts over the last blocks: difficulty, block time, tickets per second, paid share, supply.

import { call, subscribe } from "../api.js";
import { el, percent, shorten, show } from "../dom.js";
import { drawChart } from "../chart.js";
import { computePaidShare } from "../share.js";

const BLOCKS = 300;
const SMOOTH = 10; // The number of blocks over which times and shares are averaged.
const REDRAW_MS = 2000;
const NANO = 1e9;

export async function showCharts(main) {
  let last = 0, isGone = false;
  const holder = el("div", { class: "charts" });
  const draw = async () => {
    last = Date.now();
    const [list, supply] = await Promise.all([call("chain_listBlocks", { limit: BLOCKS }), call("state_supply")]);
    if (!isGone) show(holder, makeCharts(list.blocks.reverse(), supply));
  };
  await draw();
  show(main, el("h1", {}, "Charts"), el("p", { class: "quiet" },
    `The last ${BLOCKS} blocks. Times are averages over ${SMOOTH} blocks, and shares are those of the same ${SMOOTH} blocks together. The paid share only shows how much work was paid for.`), holder);
  const unsubscribe = subscribe("heads", {}, () => (Date.now() - last > REDRAW_MS ? draw() : null));
  return () => {
    isGone = true;
    unsubscribe();
  };
}

function makeCharts(blocks, supply) {
  const mined = blocks.filter((block) => block.height > 0);
  const timed = mined.filter((block) => block.height > 1);
  const x = (block) => block.height;
  const perBlock = (list, value) => list.map((block) => [x(block), value(block)]);
  const overWindows = (list, value) => list.map((block, i) => [x(block), value(list.slice(Math.max(0, i - SMOOTH + 1), i + 1))]);
  const over = (list, top, bottom) => overWindows(list, (part) => {
    const whole = part.reduce((sum, one) => sum + bottom(one), 0);
    return whole ? part.reduce((sum, one) => sum + top(one), 0) / whole : 0;
  });
  const common = { xName: "block" };
  const { minted, burned } = addUp(mined, supply);
  const isLittle = Number(supply.burned) < NANO / 100;
  return [
    drawChart({ ...common, title: "Difficulty, tickets per block", lines: [perBlock(mined, (b) => Number(b.difficulty))] }),
    drawChart({ ...common, title: "Block time, s", lines: [over(timed, (b) => b.spacing_ms / 1000, () => 1)] }),
    drawChart({ ...common, title: "Tickets per second", lines: [over(timed, (b) => Number(b.weight), (b) => b.spacing_ms / 1000)] }),
    drawChart({ ...common, title: "Paid share", format: percent, lines: [overWindows(mined, computePaidShare)] }),
    drawChart({ ...common, title: "Minted, credits", fromZero: false, lines: [minted],
      format: (value) => Math.round(value).toLocaleString("en").replaceAll(",", " ") }),
    drawChart({ ...common, title: `Burned, ${isLittle ? "nano" : "credits"}`, lines: [burned],
      format: (value) => shorten(isLittle ? value * NANO : value) }),
    drawChart({ ...common, title: "Burned by settled jobs, part of the subsidies", format: percent,
      lines: [over(mined, (b) => Number(b.settled_burn), (b) => Number(b.subsidy))] }),
  ];
}

// Returns what was minted and burned up to each block, computed back from the totals of the tip.
function addUp(blocks, supply) {
  let nowMinted = Number(supply.minted), nowBurned = Number(supply.burned);
  const minted = [], burned = [];
  for (const block of [...blocks].reverse()) {
    if (block.height <= supply.height) {
      minted.unshift([block.height, nowMinted / NANO]);
      burned.unshift([block.height, nowBurned / NANO]);
      nowMinted -= Number(block.subsidy);
      nowBurned -= Number(block.burned);
    }
  }
  return { minted, burned };
}
