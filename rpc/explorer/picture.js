// Matrices as pictures, and a drawing of a ticket's strips, panel and tile in its product.

import { el, svg } from "./dom.js";

const MAX_SIDE = 512;

// Writes the colour of a share from -1 (blue) through 0 (light grey) to 1 (orange).
function colour(share, pixels, at) {
  const value = Math.max(-1, Math.min(1, share)), depth = Math.abs(value);
  const end = value < 0 ? [37, 99, 235] : [234, 88, 12];
  for (let k = 0; k < 3; k++) pixels[at + k] = 245 + (end[k] - 245) * depth;
  pixels[at + 3] = 255;
}

// data: row-major numbers. Only every nth row and column of a large matrix is drawn, at most MAX_SIDE of each.
export function drawMatrix({ rows, cols, data }, { zoom = 1, name = "matrix" } = {}) {
  const stepR = Math.ceil(rows / MAX_SIDE), stepC = Math.ceil(cols / MAX_SIDE);
  const height = Math.ceil(rows / stepR), width = Math.ceil(cols / stepC);
  let scale = 1;
  for (let i = 0; i < data.length; i += 1) if (Math.abs(data[i]) > scale) scale = Math.abs(data[i]);
  const canvas = el("canvas", { width, height, role: "img", "aria-label": `${name}, ${rows} × ${cols}, values up to ±${scale}` });
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      colour(data[r * stepR * cols + c * stepC] / scale, image.data, 4 * (r * width + c));
    }
  }
  context.putImageData(image, 0, 0);
  canvas.style.width = `${width * zoom}px`;
  return canvas;
}

export function captioned(picture, text) {
  return el("figure", {}, picture, el("figcaption", {}, text));
}

const AREA = 150, GAP = 26;

// Draws X (m x k) on the left, Wᵀ (k x n) above and the product between them, and marks strips, panel and tile.
export function drawTicket({ x, w, i, j, p }) {
  const m = x.rows, n = w.rows, k = x.cols;
  const scale = AREA / Math.max(m, n, k);
  const size = (length) => Math.max(14, length * scale);
  const [hm, wn, dk] = [size(m), size(n), size(k)];
  const left = 8, top = 20, xTop = top + dk + GAP, yLeft = left + dk + GAP;
  const picture = svg("svg", { class: "place", viewBox: `0 0 ${yLeft + wn + 12} ${xTop + hm + 20}`, role: "img",
    "aria-label": `strip ${i} of X, strip ${j} of W, panel ${p}: tile (${i}, ${j}) of the product` });
  picture.style.maxWidth = `${1.6 * (yLeft + wn + 12)}px`;
  const strip = (whole, length, at, unit) => {
    const part = Math.max(3, (Math.min(unit, length) / length) * whole);
    return [Math.min(whole - part, (at * unit / length) * whole), part];
  };
  const [yi, hi] = strip(hm, m, i, 16), [xj, wj] = strip(wn, n, j, 16), [kp, wp] = strip(dk, k, p, 1024);
  const box = (kind, bx, by, bw, bh) => svg("rect", { class: kind, x: bx, y: by, width: bw, height: bh });
  picture.append(
    box("whole", left, xTop, dk, hm), box("strip", left, xTop + yi, dk, hi), box("tile", left + kp, xTop + yi, wp, hi),
    box("whole", yLeft, top, wn, dk), box("strip", yLeft + xj, top, wj, dk), box("tile", yLeft + xj, top + kp, wj, wp),
    box("whole", yLeft, xTop, wn, hm), box("strip", yLeft, xTop + yi, wn, hi), box("strip", yLeft + xj, xTop, wj, hm),
    box("tile", yLeft + xj, xTop + yi, wj, hi),
    svg("text", { x: left, y: xTop + hm + 14 }, `X ${m} × ${k}`),
    svg("text", { x: yLeft, y: top - 6 }, `Wᵀ ${k} × ${n}`),
    svg("text", { x: yLeft, y: xTop + hm + 14 }, `X·Wᵀ ${m} × ${n}`));
  return picture;
}
