// Series over any range of blocks, read by chain_getStats: what the overview, the market and the charts draw.

import { call } from "./api.js";
import { el } from "./dom.js";

const NANO = 1e9, FEWEST = 24, TOGETHER = 8;
export const RANGES = [["100", "100 blocks"], ["1000", "1 000 blocks"], ["10000", "10 000 blocks"], ["", "all blocks"]];

// Returns the points of the newest `blocks` blocks, or of the whole chain, at most `most` of them. Each stands for a few blocks,
// unless there are few: from one block to the next most values jump.
export async function readSeries(blocks, most) {
  const { height } = await call("chain_head");
  if (height === 0) return [];
  const first = blocks ? Math.max(1, height - Number(blocks) + 1) : 1;
  const points = Math.min(most, Math.max(FEWEST, Math.floor((height - first + 1) / TOGETHER)));
  return (await call("chain_getStats", { first, points })).points;
}

// Returns [time, value] of every point that has one.
export const over = (points, value) => points.map((point) => [point.time_ms, value(point)]).filter(([, y]) => y !== null);
export const toCredits = (nano) => Number(nano) / NANO;

// Buttons that choose a range; `onChoose` is called with the number of blocks, or of what `ranges` are of, or "" for all.
export function rangeButtons(chosen, onChoose, ranges = RANGES) {
  const group = el("div", { class: "ranges", role: "group", "aria-label": "Range of the charts" });
  const buttons = ranges.map(([value, text]) => el("button", { type: "button", "aria-pressed": String(value === chosen),
    onclick: () => {
      buttons.forEach((one, i) => one.setAttribute("aria-pressed", String(ranges[i][0] === value)));
      return onChoose(value);
    } }, text));
  group.append(...buttons);
  return group;
}
