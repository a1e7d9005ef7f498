// Functions that make elements from data. Text is always inserted as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

export function show(main, ...children) {
  main.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export const short = (id, digits = 10) => (id.length > digits + 6 ? `${id.slice(0, digits)}…${id.slice(-4)}` : id);
export const link = (href, text, props = {}) => el("a", { href, ...props }, text);
export const mono = { class: "mono" };
export const blockLink = (id, text) => link(`#/block/${id}`, text ?? short(id), { ...mono, title: id });
export const jobLink = (id) => link(`#/job/${id}`, short(id), { ...mono, title: id });
export const txLink = (id) => link(`#/tx/${id}`, short(id), { ...mono, title: id });
export const accountLink = (address) => link(`#/account/${address}`, short(address, 12), { ...mono, title: address });

export function facts(rows) {
  return el("dl", { class: "facts" }, rows.filter(Boolean).flatMap(([name, ...value]) =>
    [el("dt", {}, name), el("dd", {}, ...value)]));
}

export function stat(name, value, unit = "") {
  const whole = el("span", { class: "whole" }, value);
  return el("div", { class: "stat" }, el("dt", {}, name), el("dd", {}, whole, unit && el("small", {}, " " + unit)));
}

// columns: [title, cell(row), class]. Columns of the class "wide" are hidden on phones.
export function table(columns, rows, empty = "There are none yet.") {
  if (rows.length === 0) return el("p", { class: "quiet" }, empty);
  const head = el("tr", {}, columns.map(([title, , kind]) => el("th", { class: kind, scope: "col" }, title)));
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, head),
    el("tbody", {}, rows.map((row) => makeRow(columns, row)))));
}

export function makeRow(columns, row) {
  return el("tr", {}, columns.map(([, cell, kind]) => el("td", { class: kind }, cell(row) ?? "")));
}

export function credits(nano) {
  const value = BigInt(nano), whole = value / 1_000_000_000n, rest = value % 1_000_000_000n;
  const digits = rest.toString().padStart(9, "0").replace(/0+$/, "");
  return count(whole) + (digits ? "." + digits : "");
}

// The amount rounded to three decimals; the title shows all of it.
export function roughCredits(nano) {
  const [whole, rest = ""] = credits(nano).split(".");
  return el("span", { title: `${credits(nano)} credits` }, rest ? `${whole}.${rest.slice(0, 3)}` : whole);
}

export function count(number) {
  return BigInt(number).toString().replace(/\B(?=(\d{3})+$)/g, " ");
}

export function percent(share) {
  return `${(100 * share).toFixed(share >= 0.0995 || share === 0 ? 0 : 1)}\u202f%`;
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(ms < 100_000 ? 1 : 0)}\u202fs`;
}

export function age(ms) {
  const passed = Math.max(0, Date.now() - ms) / 1000;
  if (passed < 90) return `${Math.round(passed)} s ago`;
  if (passed < 5400) return `${Math.round(passed / 60)} min ago`;
  return passed < 172_800 ? `${Math.round(passed / 3600)} h ago` : `${Math.round(passed / 86_400)} days ago`;
}

export function time(ms) {
  return el("time", { datetime: new Date(ms).toISOString() }, `${new Date(ms).toLocaleString()}  (${age(ms)})`);
}
