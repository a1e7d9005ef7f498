// A line chart as SVG with one or two lines and round axis labels. Screen readers read its label.

import { el, shorten, svg } from "./dom.js";

const WIDTH = 420, HEIGHT = 190, LEFT = 62, RIGHT = 10, TOP = 10, BOTTOM = 24;

// lines: arrays of [x, y]. names: the lines' names. isStepped: a value holds until the next point.
export function drawChart({ title, lines, names = [], xName = "", isStepped = false, format = shorten, fromZero = true }) {
  const points = lines.flat();
  if (points.length === 0) return el("section", { class: "card chart" }, el("h2", {}, title), el("p", { class: "quiet" }, "There is no data yet."));
  const xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [x0, x1] = widen(Math.min(...xs), Math.max(...xs));
  const ticks = chooseTicks(fromZero ? Math.min(0, ...ys) : Math.min(...ys), Math.max(...ys));
  const y0 = ticks[0], y1 = ticks[ticks.length - 1];
  const toX = (x) => LEFT + ((x - x0) / (x1 - x0)) * (WIDTH - LEFT - RIGHT);
  const toY = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const last = lines.map((line, i) => `${names[i] ? names[i] + " " : ""}${format(line[line.length - 1]?.[1] ?? 0)}`);
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": `${title}: ${last.join(", ")} at ${xName} ${x1}; between ${format(Math.min(...ys))} and ${format(Math.max(...ys))}` });
  for (const tick of ticks) {
    picture.append(
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: toY(tick), y2: toY(tick) }),
      svg("text", { x: LEFT - 6, y: toY(tick) + 3, "text-anchor": "end" }, format(tick)));
  }
  picture.append(
    svg("text", { x: LEFT, y: HEIGHT - 7 }, `${xName} ${Math.round(x0)}`),
    svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 7, "text-anchor": "end" }, String(Math.round(x1))));
  lines.forEach((line, i) => {
    if (line.length === 0) return;
    const path = makePath(line, toX, toY, isStepped);
    if (i === 0 && lines.length === 1) {
      const [firstX] = line[0], [lastX] = line[line.length - 1];
      picture.append(svg("path", { class: "area", d: `${path}L${toX(lastX)},${toY(y0)}L${toX(firstX)},${toY(y0)}Z` }));
    }
    picture.append(svg("path", { class: i === 0 ? "line" : "line second", d: path }));
  });
  return el("section", { class: "card chart" }, el("h2", {}, title), el("p", { class: "quiet" }, `now ${last.join(", ")}`), picture);
}

function makePath(line, toX, toY, isStepped) {
  let path = "";
  line.forEach(([x, y], i) => {
    const at = `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`;
    if (i === 0) path = `M${at}`;
    else path += isStepped ? `H${toX(x).toFixed(1)}V${toY(y).toFixed(1)}` : `L${at}`;
  });
  return path;
}

function widen(low, high) {
  return high > low ? [low, high] : [low - 1, high + 1];
}

// Three to six round numbers that enclose [low, high].
function chooseTicks(low, high) {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const raw = span / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw) ?? 10 * power;
  const ticks = [];
  for (let n = Math.floor(low / step); ; n++) {
    ticks.push(n * step);
    if (n * step >= high && ticks.length > 1) return ticks;
  }
}
