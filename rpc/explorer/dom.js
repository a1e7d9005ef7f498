// Functions that make elements from data. Text is always inserted as text, never as markup.

import { age, clock, count, credits, cutCredits, day } from "./format.js";

export { age, bytes, count, credits, duration, percent, seconds, shorten } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const AGES_MS = 1000;
const COPIED_MS = 1500;

export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), (event) => value(event)?.catch?.((error) => tellProblem(node, error)));
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Says beside a button what went wrong with the calls that it made. Other errors are mistakes of the page itself.
function tellProblem(node, error) {
  if (error.hint === undefined) throw error;
  let place = node.nextElementSibling;
  if (!place?.classList.contains("problem")) node.after(place = el("span", { class: "problem bad", role: "alert" }));
  place.textContent = error.message;
}

// Replaces the content. If the focus was in it, what takes the same place gets it, so that a page that is drawn again with each
// block can be used by keyboard.
export function show(main, ...children) {
  const held = main.contains(document.activeElement) && main !== document.activeElement ? describeFocus(main) : null;
  main.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  if (held) findFocus(main, held)?.focus({ preventScroll: true });
}

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex='0']";

function describeFocus(holder) {
  const one = document.activeElement;
  return { id: one.id, href: one.getAttribute("href"), text: one.textContent, place: [...holder.querySelectorAll(FOCUSABLE)].indexOf(one) };
}

function findFocus(holder, { id, href, text, place }) {
  if (id) return document.getElementById(id);
  const all = [...holder.querySelectorAll(FOCUSABLE)];
  return all.find((one) => href !== null && one.getAttribute("href") === href && one.textContent === text) ?? all[Math.min(place, all.length - 1)];
}

export const short = (id, digits = 10) => (id.length > digits + 6 ? `${id.slice(0, digits)}…${id.slice(-4)}` : id);
export const link = (href, text, props = {}) => el("a", { href, ...props }, text);
export const mono = { class: "mono" };
export const blockLink = (id, text) => link(`#/block/${id}`, text ?? short(id), { ...mono, title: id });
export const jobLink = (id) => link(`#/job/${id}`, short(id), { ...mono, title: id });
export const txLink = (id) => link(`#/tx/${id}`, short(id), { ...mono, title: id });
export const accountLink = (address) => link(`#/account/${address}`, short(address, 12), { ...mono, title: address });

// An id or address in full, with a button that copies it. `page` is where a link on it leads, if anywhere.
export function copyable(text, name, page = null) {
  return el("span", { class: "copyable" }, page ? link(page, text, mono) : el("code", {}, text), copyButton(text, name));
}

export function copyButton(text, name, label = "Copy") {
  const button = el("button", { type: "button", class: "copy", "aria-label": `${label}: ${name}`, onclick: async () => {
    const isCopied = await copy(text);
    button.textContent = isCopied ? "Copied" : "Not copied";
    announce(isCopied ? `${name} copied` : `the browser did not copy ${name}`);
    setTimeout(() => (button.textContent = label), COPIED_MS);
  } }, label);
  return button;
}

// Browsers offer a clipboard only to pages that came by https or from this machine; others copy what is selected.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = el("textarea", { class: "skip", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    const before = document.activeElement;
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    before?.focus();
    return isCopied;
  }
}

// Tells screen readers what happened without moving the focus.
export function announce(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}

export function facts(rows) {
  return el("dl", { class: "facts" }, rows.filter(Boolean).flatMap(([name, ...value]) =>
    [el("dt", {}, name), el("dd", {}, ...value)]));
}

export function stat(name, value, unit = "") {
  const whole = el("span", { class: "whole" }, value);
  return el("div", { class: "stat" }, el("dt", {}, name), el("dd", {}, whole, unit && el("small", {}, unit)));
}

// columns: [title, cell(row), class]. On narrow screens each row becomes a card, and each cell has its column's title.
export function table(columns, rows, empty = "There are none yet.") {
  if (rows.length === 0) return el("p", { class: "quiet" }, empty);
  const head = el("tr", { role: "row" }, columns.map(([title, , kind]) =>
    el("th", { class: kind, scope: "col", role: "columnheader" }, title)));
  return el("div", { class: "scroll" }, el("table", { role: "table" }, el("thead", { role: "rowgroup" }, head),
    el("tbody", { role: "rowgroup" }, rows.map((row) => makeRow(columns, row)))));
}

export function makeRow(columns, row) {
  return el("tr", { role: "row" }, columns.map(([title, cell, kind]) =>
    el("td", { class: kind, role: "cell", "data-title": title }, cell(row) ?? "")));
}

// The amount cut to three decimals; the title shows all of it.
export function roughCredits(nano) {
  return el("span", { class: "whole", title: `${credits(nano)} credits` }, cutCredits(nano));
}

// How long ago a time was, counted on while the page is shown; the title is the time.
export function ago(ms) {
  return el("time", { datetime: new Date(ms).toISOString(), title: `${day(ms)} ${clock(ms)}`, class: "whole", "data-age": ms }, age(ms));
}

export function time(ms) {
  return el("span", {}, el("time", { datetime: new Date(ms).toISOString(), class: "whole" }, `${day(ms)} ${clock(ms)}`), ", ", ago(ms));
}

export function startAges() {
  setInterval(() => {
    for (const one of document.querySelectorAll("[data-age]")) one.textContent = age(Number(one.dataset.age));
  }, AGES_MS);
}

// Links between the parts of a page, each with an address of its own.
export function tabs(base, parts, chosen) {
  return el("nav", { class: "tabs", "aria-label": "Parts of the page" },
    parts.map(([name, text]) => link(`${base}/${name}`, text, { "aria-current": name === chosen ? "page" : null })));
}

// A fee: few nano are shown as nano.
export function fee(nano) {
  return BigInt(nano) < 1_000_000n ? `${count(nano)} nano` : `${credits(nano)} credits`;
}

// A change of an amount with its sign; nothing for none.
export function change(nano) {
  if (nano === "0") return "";
  const sign = nano.startsWith("-") ? "−" : "+", size = nano.replace("-", "");
  return el("span", { class: `whole ${sign === "+" ? "good" : ""}` }, sign, BigInt(size) < 1_000_000n ? fee(size) : credits(size));
}

export function finalityTag({ finality }) {
  return el("span", { class: finality === "final" ? "tag" : "tag plain" }, finality === "none" ? "not final" : finality);
}
