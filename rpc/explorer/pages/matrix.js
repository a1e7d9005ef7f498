// A matrix of the mesh: a picture of numbers, or a file, which the browser compares with its id before it is saved.

import { count, el, facts, link, show } from "../dom.js";
import { computeFileId, fetchMatrix, fetchShape } from "../matrices.js";
import { captioned, drawMatrix } from "../picture.js";
import { describeFile } from "../records.js";

const MAX_BYTES = 24 * 2 ** 20; // The page fetches no more.
const SHOWN_BYTES = 256, LINE_BYTES = 16;
const KINDS = {
  int8: "an operand: int8, entries from −64 to 63",
  int32: "a product: int32",
  bytes: "a file: any bytes",
};

export async function showMatrix(main, id) {
  const shape = await fetchShape(id), isFile = shape.dtype === "bytes";
  const card = el("div", { class: "card" }, facts([
    ["id", el("code", {}, id)],
    ["kind", KINDS[shape.dtype] ?? shape.dtype],
    ["size", `${count(shape.size)} bytes`],
    isFile ? null : ["shape", `${count(shape.rows)} × ${count(shape.cols)}`],
  ]));
  const content = el("div");
  let release = () => {};
  show(main, el("h1", {}, isFile ? "File" : "Matrix"), card, content);
  if (shape.size > MAX_BYTES) {
    return show(content, el("p", { class: "card" }, "It is too large for this page. Fetch it with ",
      el("code", {}, `inos mesh get ${id} -o FILE`)));
  }
  const status = el("p", { class: "verdict", role: "status", id: "verdict" }), holder = el("div");
  const button = el("button", { type: "button", class: "main", id: "fetch" }, isFile ? "Fetch the file and check it" : "Fetch and draw it");
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.className = "verdict";
    status.textContent = "fetching …";
    try {
      release();
      release = await (isFile ? showFile : drawNumbers)(id, status, holder);
    } catch (error) {
      status.textContent = error.message;
      status.className = "verdict bad";
    }
    button.disabled = false;
  });
  show(content, el("div", { class: "card" }, el("div", { class: "tools" }, button), status, holder));
  return () => release();
}

// Both functions return a function that releases what the browser holds for the page.
async function drawNumbers(id, status, holder) {
  const matrix = await fetchMatrix(id);
  status.textContent = "";
  show(holder, captioned(drawMatrix(matrix, { name: "matrix" }), `${matrix.rows} × ${matrix.cols}`));
  return () => {};
}

async function showFile(id, status, holder) {
  const { data } = await fetchMatrix(id);
  const found = await computeFileId(data, (done, all) => (status.textContent = `hashed ${done} of ${all} strips …`));
  if (found !== id) {
    status.textContent = `The node sent something else: its id is ${found}.`;
    status.className = "verdict bad";
    holder.replaceChildren();
    return () => {};
  }
  status.textContent = "The bytes have this id: checked in this browser.";
  status.className = "verdict good";
  const kind = describeFile(id, data);
  const url = URL.createObjectURL(new Blob([data], { type: "application/octet-stream" }));
  show(holder,
    el("p", {}, el("a", { href: url, download: `${id.slice(0, 16)}.bin`, id: "download" }, `Download ${count(data.length)} bytes`)),
    kind ? el("p", {}, link(kind.page, kind.text, { id: kind.name })) : null,
    data.length ? el("pre", { class: "scroll", id: "dump" }, dump(data.subarray(0, SHOWN_BYTES))) : null);
  return () => URL.revokeObjectURL(url);
}

// Returns lines of an offset, 16 bytes in hex, and the same as text.
function dump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += LINE_BYTES) {
    const line = Array.from(bytes.subarray(at, at + LINE_BYTES));
    const hex = line.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * LINE_BYTES);
    const text = line.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex} ${text}`);
  }
  return lines.join("\n");
}
