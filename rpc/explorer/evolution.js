// Reads records of evolution (docs/evolution.md) and draws the family tree of their islands.

import { decode, toHex } from "./bytes.js";
import { svg } from "./dom.js";
import { computeFileId, fetchMatrix, fetchShape } from "./matrices.js";

export const MAX_RECORD_BYTES = 512;
const FIELDS = 11, LANE = 46, LEFT = 20, TOP = 26, WIDTH = 820;

// Throws an Error if the bytes are no record.
export function readRecord(bytes) {
  let parts = null;
  try {
    parts = bytes.length <= MAX_RECORD_BYTES ? decode(bytes) : null;
  } catch {} // told below
  const [version, run, owner, seed, number, parent, cited, genome, fitness, elites, task] = Array.isArray(parts) ? parts : [];
  const isId = (value) => value instanceof Uint8Array && value.length === 32;
  const isRight = parts?.length === FIELDS && version === 1 && [run, seed, genome].every(isId) && owner?.length === 20
    && [parent, cited, elites, task].every((value) => value === null || isId(value))
    && Number.isInteger(number) && number >= 0 && (number === 0) === (parent === null) && Number.isFinite(Number(fitness ?? NaN));
  if (!isRight) throw new Error("The file is no record of evolution.");
  const hex = (value) => (value === null ? null : toHex(value));
  return { run: hex(run), owner: hex(owner), island: hex(owner) + hex(seed), seed: hex(seed), number, parent: hex(parent),
    cited: hex(cited), genome: hex(genome), fitness: Number(fitness), elites: hex(elites), task: hex(task) };
}

export async function fetchRecord(id) {
  if ((await fetchShape(id)).size > MAX_RECORD_BYTES) throw new Error("The file is too long for a record of evolution.");
  const { data } = await fetchMatrix(id);
  if ((await computeFileId(data)) !== id) throw new Error("The node sent other bytes than those of the record.");
  return { id, ...readRecord(data) };
}

// Fetches the records that a head leads to, at most `most`. Those that cannot be read are in `missing`, and those that were
// not asked for in `left`.
export async function fetchLineage(head, most, onProgress) {
  const records = new Map(), missing = new Map(), queue = [head], seen = new Set(queue);
  while (queue.length && records.size < most) {
    const id = queue.shift();
    try {
      const record = await fetchRecord(id);
      records.set(id, record);
      for (const next of [record.parent, record.cited]) {
        if (next === null || seen.has(next)) continue;
        seen.add(next);
        queue.push(next);
      }
    } catch (error) {
      if (error.isDown || id === head) throw error;
      missing.set(id, error.message);
    }
    onProgress(records.size);
  }
  return { records, missing, left: queue.length };
}

// A lane for each island, generations from left to right, and a curve for each genome that was taken.
export function drawTree(records, head) {
  const all = [...records.values()].sort((a, b) => a.number - b.number);
  const islands = [...new Set([records.get(head).island, ...all.map((record) => record.island)])];
  const first = all[0].number, last = all[all.length - 1].number;
  const toX = (number) => LEFT + ((number - first) / Math.max(1, last - first)) * (WIDTH - 2 * LEFT);
  const toY = (island) => TOP + islands.indexOf(island) * LANE;
  const height = TOP + (islands.length - 1) * LANE + LEFT;
  const picture = svg("svg", { class: "lineage", viewBox: `0 0 ${WIDTH} ${height}`, role: "img",
    "aria-label": `The family tree of ${islands.length} islands, generations ${first} to ${last}; the table below lists them.` });
  for (const island of islands) {
    const own = all.filter((record) => record.island === island);
    const [from, to] = [own[0], own[own.length - 1]], y = toY(island);
    picture.append(
      svg("text", { x: LEFT - 4, y: y - 10 }, `island ${to.seed.slice(0, 8)}: fitness ${from.fitness} to ${to.fitness}`),
      svg("path", { class: "lane", d: `M${toX(from.number)},${y}H${toX(to.number)}` }));
    for (const record of [from, to]) picture.append(svg("circle", { cx: toX(record.number), cy: y, r: 4 }));
  }
  for (const record of all) {
    const source = records.get(record.cited);
    if (!source) continue;
    const [x0, y0, x1, y1] = [toX(source.number), toY(source.island), toX(record.number), toY(record.island)];
    picture.append(svg("path", { class: "taken", d: `M${x0},${y0}C${x0},${(y0 + y1) / 2} ${x1},${(y0 + y1) / 2} ${x1},${y1}` },
      svg("title", {}, `generation ${record.number} begins with generation ${source.number}, fitness ${source.fitness}`)),
    svg("circle", { class: "taken", cx: x1, cy: y1, r: 5 }));
  }
  return picture;
}
