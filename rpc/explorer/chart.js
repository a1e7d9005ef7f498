// A line chart as SVG. The pointer and the arrow keys show the values at one place; screen readers hear them.

import { el, svg } from "./dom.js";
import { clock, count, day, shorten } from "./format.js";
import { chooseTicks, chooseTimes, describeTime, findNearest } from "./scale.js";

const HEIGHT = 190, LEAST_LEFT = 40, LETTER = 7.2, RIGHT = 14, TOP = 10, BOTTOM = 26, LEAST_WIDTH = 240;

// lines: arrays of [x, y], sorted by x. names: the lines' names. isTime: x is a time in ms, else a height or another number,
// which `xName` names. isStepped: a value holds until the next point.
// hasDots: each point stands for itself, and no line joins them.
export function drawChart({ title, lines, names = [], isTime = false, isStepped = false, hasDots = false, format = shorten,
  fromZero = true, note = "", xName = "block" }) {
  const section = el("section", { class: "card chart" }, el("h2", {}, title));
  const points = lines.flat();
  if (points.length === 0) {
    section.append(el("p", { class: "quiet" }, "There is no data yet."));
    return section;
  }
  const value = el("p", { class: "value", "aria-live": "polite" });
  const describe = isTime ? (x) => `${day(x)} ${clock(x)}` : (x) => `${xName} ${count(Math.round(x))}`;
  const frame = el("div", { class: "frame", tabindex: "0", role: "img" });
  section.append(value, frame, ...(note ? [el("p", { class: "quiet note" }, note)] : []));
  const chart = { lines, names, isTime, isStepped, hasDots, format, fromZero, describe, title, value, frame, place: null, main: 0 };
  chart.main = lines.reduce((best, line, i) => (line.length > lines[best].length ? i : best), 0);
  // Drawn at the size that it has on the page, so that its text is as large as other text.
  new ResizeObserver(() => redraw(chart)).observe(frame);
  listen(chart);
  tell(chart);
  return section;
}

function redraw(chart) {
  const { frame, lines, format, fromZero, isTime, title } = chart;
  const width = Math.max(LEAST_WIDTH, Math.round(frame.clientWidth));
  if (chart.width === width) return;
  chart.width = width;
  const points = lines.flat(), xs = points.map(([x]) => x), ys = points.map(([, y]) => y);
  const [x0, x1] = widen(Math.min(...xs), Math.max(...xs), isTime ? 1000 : 1);
  const ticks = chooseTicks(fromZero ? Math.min(0, ...ys) : Math.min(...ys), Math.max(...ys));
  const y0 = ticks[0], y1 = ticks[ticks.length - 1];
  const left = Math.max(LEAST_LEFT, 10 + LETTER * Math.max(...ticks.map((tick) => format(tick).length)));
  chart.toX = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - RIGHT);
  chart.toY = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  chart.fromX = (at) => x0 + ((at - left) / (width - left - RIGHT)) * (x1 - x0);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" });
  for (const tick of ticks) {
    picture.append(svg("line", { class: "grid", x1: left, x2: width - RIGHT, y1: chart.toY(tick), y2: chart.toY(tick) }),
      svg("text", { x: left - 6, y: chart.toY(tick) + 4, "text-anchor": "end" }, format(tick)));
  }
  const most = Math.max(2, Math.floor((width - left - RIGHT) / 75));
  const marks = isTime ? chooseTimes(x0, x1, most) : chooseTicks(x0, x1, most).filter((x) => x >= x0 && x <= x1 && Number.isInteger(x));
  for (const x of marks) {
    const at = chart.toX(x), isFirst = at < left + 20, isLast = at > width - RIGHT - 20;
    picture.append(svg("line", { class: "grid", x1: at, x2: at, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 }),
      svg("text", { x: at, y: HEIGHT - 7, "text-anchor": isFirst ? "start" : isLast ? "end" : "middle" },
        isTime ? describeTime(x, x1 - x0) : count(x)));
  }
  lines.forEach((line, i) => picture.append(...drawLine(chart, line, i, y0)));
  chart.cursor = svg("g", { class: "cursor" });
  picture.append(chart.cursor);
  frame.replaceChildren(picture);
  frame.setAttribute("aria-label", `${title}: chart of ${count(chart.lines[chart.main].length)} points, between `
    + `${format(Math.min(...ys))} and ${format(Math.max(...ys))}. Arrow keys read single values.`);
  tell(chart);
}

function drawLine(chart, line, i, y0) {
  const kind = i === 0 ? "line" : i === 1 ? "line second" : "line third";
  if (line.length === 0) return [];
  if (chart.hasDots) {
    return line.map(([x, y]) => svg("circle", { class: `dot ${kind}`, cx: chart.toX(x).toFixed(1), cy: chart.toY(y).toFixed(1), r: 2.6 }));
  }
  if (line.length === 1) return [svg("circle", { class: `dot ${kind}`, cx: chart.toX(line[0][0]), cy: chart.toY(line[0][1]), r: 3 })];
  const path = makePath(line, chart.toX, chart.toY, chart.isStepped);
  const area = `${path}L${chart.toX(line[line.length - 1][0])},${chart.toY(y0)}L${chart.toX(line[0][0])},${chart.toY(y0)}Z`;
  return [...(chart.lines.length === 1 ? [svg("path", { class: "area", d: area })] : []), svg("path", { class: kind, d: path })];
}

// Shows the values at one point, or the last ones if no point was chosen.
function tell(chart) {
  const line = chart.lines[chart.main];
  const [x] = line[chart.place ?? line.length - 1];
  const values = chart.lines.map((one, i) => [i, one[findNearest(one, x)]]).filter(([, point]) => point)
    .map(([i, point]) => [i, point[1]]);
  chart.value.replaceChildren(
    el("span", { class: "quiet" }, chart.place === null ? "now " : `${chart.describe(x)}: `),
    ...values.flatMap(([i, y]) => [el("span", { class: `key${i}` }, chart.names[i] ? `${chart.names[i]} ` : "", el("b", {}, chart.format(y))), " "]));
  if (!chart.cursor) return;
  chart.cursor.replaceChildren();
  if (chart.place === null) return;
  const at = chart.toX(x);
  chart.cursor.append(svg("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }),
    ...values.map(([i, y]) => svg("circle", { cx: at, cy: chart.toY(y), r: 4, class: i ? "second" : "" })));
}

function listen(chart) {
  const { frame } = chart;
  const choose = (place) => {
    if (place === chart.place) return;
    chart.place = place;
    tell(chart);
  };
  frame.addEventListener("pointermove", (event) => {
    const left = frame.getBoundingClientRect().left;
    choose(findNearest(chart.lines[chart.main], chart.fromX(event.clientX - left)));
  });
  frame.addEventListener("pointerleave", () => choose(null));
  frame.addEventListener("blur", () => choose(null));
  frame.addEventListener("keydown", (event) => {
    const last = chart.lines[chart.main].length - 1, at = chart.place ?? last + 1;
    const places = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last, PageUp: at - 10, PageDown: at + 10 };
    if (!(event.key in places)) return;
    event.preventDefault();
    event.stopPropagation();
    choose(Math.max(0, Math.min(last, places[event.key])));
  });
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

function widen(low, high, least) {
  return high > low ? [low, high] : [low - least, high + least];
}
