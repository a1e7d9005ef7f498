// A program as a layered drawing: a box for each value, below the values that it is computed from.

import { svg } from "./dom.js";

const BOX_W = 206, BOX_H = 46, GAP_X = 18, GAP_Y = 34, MARGIN = 6;

// Returns "rows × cols, lo .. hi".
export function describeType({ rows, cols, lo, hi }) {
  return `${rows} × ${cols}, ${shorten(lo)} .. ${shorten(hi)}`;
}

function shorten(bound) {
  const text = bound.toString().replace("-", "−");
  return text.length > 12 ? `${text.slice(0, text.startsWith("−") ? 3 : 2)}e${text.replace("−", "").length - 2}` : text;
}

// Returns an SVG of at most a few hundred values; the caller bounds them.
export function drawGraph({ values, outputs }) {
  const layers = arrange(values), places = new Map();
  const width = Math.max(...layers.map((layer) => layer.length)) * (BOX_W + GAP_X) - GAP_X + 2 * MARGIN;
  layers.forEach((layer, depth) => layer.forEach((value, n) => {
    const x = (width - layer.length * (BOX_W + GAP_X) + GAP_X) / 2 + n * (BOX_W + GAP_X);
    places.set(value.number, { x, y: MARGIN + depth * (BOX_H + GAP_Y) });
  }));
  const height = layers.length * (BOX_H + GAP_Y) - GAP_Y + 2 * MARGIN;
  const picture = svg("svg", { class: "graph", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
    "aria-label": `The program's graph of ${values.length} values; the table below lists them.` });
  for (const value of values) {
    const to = places.get(value.number);
    for (const operand of new Set(value.operands)) {
      const from = places.get(operand);
      const [x0, y0, x1, y1] = [from.x + BOX_W / 2, from.y + BOX_H, to.x + BOX_W / 2, to.y];
      picture.append(svg("path", { class: "edge", d: `M${x0},${y0}C${x0},${y0 + GAP_Y / 2} ${x1},${y1 - GAP_Y / 2} ${x1},${y1}` }));
    }
  }
  for (const value of values) picture.append(drawBox(value, places.get(value.number), outputs.includes(value.number)));
  return picture;
}

function drawBox(value, { x, y }, isOutput) {
  const kind = `${value.isInput ? "input" : value.tickets ? "product" : ""} ${isOutput ? "output" : ""}`;
  const type = describeType(value.type);
  return svg("g", { class: kind },
    svg("title", {}, `${value.name} ${value.detail}: ${type}`),
    svg("rect", { x, y, width: BOX_W, height: BOX_H, rx: 6 }),
    svg("text", { x: x + 8, y: y + 18, class: "name" }, `${value.number}  ${value.name}`),
    svg("text", { x: x + 8, y: y + 35 }, type.length > 33 ? `${type.slice(0, 32)}…` : type));
}

// Returns the values by depth: inputs that only a deep node reads stand right above it.
function arrange(values) {
  const depth = new Map(), readers = new Map();
  for (const value of values) {
    depth.set(value.number, value.operands.reduce((most, operand) => Math.max(most, depth.get(operand) + 1), 0));
    for (const operand of value.operands) readers.set(operand, Math.min(readers.get(operand) ?? Infinity, depth.get(value.number)));
  }
  const layers = [];
  for (const value of values) {
    const at = value.isInput && readers.has(value.number) ? readers.get(value.number) - 1 : depth.get(value.number);
    (layers[at] ??= []).push(value);
  }
  return Array.from(layers, (layer) => layer ?? []);
}
