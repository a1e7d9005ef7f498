// A block's certificate: the winning tile, and every step of its check, which the browser makes itself.

import { call } from "../api.js";
import { fromHex, toHex } from "../bytes.js";
import { PANEL, ROWS, readHeader, readWitness, verify } from "../certificate.js";
import { blockLink, el, facts, link, show } from "../dom.js";
import { captioned, drawMatrix, drawTicket } from "../picture.js";

export async function showCertificate(main, name) {
  const found = await call("chain_getCertificate", { block: /^\d{1,15}$/.test(name) ? Number(name) : name });
  const head = el("h1", {}, `Certificate of block ${found.height}`);
  if (found.height === 0) return show(main, head, el("p", {}, "The genesis block has no certificate, because it was not mined."));
  const header = readHeader(fromHex(found.header));
  const overview = [head, el("div", { class: "card" }, facts([
    ["block", blockLink(found.id, found.id)],
    ["ticket", `strip ${header.seal.i} of X, strip ${header.seal.j} of W, panel ${header.seal.p}`],
    ["X", el("code", {}, toHex(header.seal.x.id))],
    ["W", el("code", {}, toHex(header.seal.w.id))],
    ["digest", el("code", {}, toHex(header.seal.digest))],
  ])), el("h2", {}, "The winning tile in the product"), el("div", { class: "card" }, drawTicket(header.seal))];
  if (found.witness === null) {
    return show(main, overview, el("p", { class: "card" },
      "This node has deleted the witness, as nodes may once a block is final. Another node may still have it."));
  }
  const result = el("div"), witness = fromHex(found.witness);
  const run = (bytes) => runCheck(result, header, readWitness(bytes), found);
  const tamper = () => {
    const bytes = witness.slice();
    bytes[100] ^= 1;
    run(bytes);
  };
  show(main, overview, el("h2", {}, "The check in this browser"),
    el("p", { class: "quiet" }, "This page computes BLAKE3, the paths, the noise and the tile from the bytes of header and witness. ",
      link(`#/block/${found.id}`, "Back to the block")),
    el("div", { class: "tools" },
      el("button", { type: "button", class: "main", id: "again", onclick: () => run(witness) }, "Check again"),
      el("button", { type: "button", id: "tamper", onclick: tamper }, "Change one bit of the witness")),
    result);
  run(witness);
}

function runCheck(holder, header, witness, found) {
  const list = el("ol", { class: "steps card", id: "steps" });
  const pictures = el("div", { class: "pictures" });
  const verdict = el("p", { class: "verdict", role: "status", id: "verdict" }, "checking …");
  show(holder, verdict, list, el("h2", {}, "The strips, and the tile after each step"), pictures);
  const start = performance.now();
  let isGood = true, count = 0;
  try {
    for (const step of verify(header, witness, found.id)) {
      isGood &&= step.isOk;
      count++;
      list.append(el("li", { class: step.isOk ? "good" : "bad" },
        el("b", {}, step.title, step.isOk ? "" : ": failed"), el("code", {}, step.detail)));
      drawStep(pictures, step, witness);
    }
  } catch (error) {
    isGood = false;
    list.append(el("li", { class: "bad" }, el("b", {}, "The certificate cannot be decoded"), el("code", {}, error.message)));
  }
  const passed = (performance.now() - start).toFixed(0);
  verdict.textContent = isGood
    ? `The certificate is valid: checked in ${count} steps and ${passed} ms in this browser.` : "The certificate is NOT valid.";
  verdict.className = `verdict ${isGood ? "good" : "bad"}`;
}

function drawStep(pictures, step, witness) {
  if (step.left) {
    const plain = (strip) => new Int8Array(strip.buffer, strip.byteOffset, strip.length);
    for (const [name, data] of [["X", plain(witness.xStrip)], ["X with noise", step.left.map((v) => v - 127)],
      ["W", plain(witness.wStrip)], ["W with noise", step.right]]) {
      // 1024 columns are folded into four rows of 256 each, so that single entries can be seen.
      pictures.append(captioned(drawMatrix(foldStrip(data), { name }), `${name}: 16 × 1024, in four pieces`));
    }
  }
  if (step.tiles) {
    step.tiles.forEach((tile, at) => pictures.append(captioned(
      drawMatrix({ rows: ROWS, cols: ROWS, data: tile }, { zoom: 4, name: `tile after step ${at + 1}` }), String(at + 1))));
  }
}

function foldStrip(data) {
  const width = PANEL / 4, rows = 4 * (ROWS + 1), folded = new Int16Array(rows * width);
  for (let r = 0; r < ROWS; r++) {
    for (let c = 0; c < PANEL; c++) {
      folded[(Math.floor(c / width) * (ROWS + 1) + r) * width + (c % width)] = data[r * PANEL + c];
    }
  }
  return { rows, cols: width, data: folded };
}
