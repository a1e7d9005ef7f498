// Reads a program or a function's spec (docs/programs.md, docs/functions.md) and infers types and cost, as the node does.

import { decode, toHex } from "./bytes.js";

export const MATMUL_T = 1, REPEAT = 13;
const REDUCE_SUM = 7, REDUCE_MAX = 8, RANDOM = 12;
const UNIT_ELEMENTS = 4096, MAX_NESTING = 4, MAX_NODES = 65_536, MAX_OUTPUTS = 1024;
const MAX_VALUE = 1n << 62n, MAX_SIZE = 2 ** 31, MAX_SHIFT = 62, MAX_BITS = 16;
const OPS = {
  1: { name: "MATMUL_T", attributes: ["blocks"], infer: inferProduct },
  2: { name: "ADD", attributes: [], weight: 1, infer: (_, [a, b]) => ({ ...broadcast(a, b), lo: a.lo + b.lo, hi: a.hi + b.hi }) },
  3: { name: "MUL", attributes: ["shift"], weight: 4, infer: inferMul },
  4: { name: "INTDIV", attributes: [], weight: 4, infer: inferDivision },
  5: { name: "CLAMP", attributes: ["lo", "hi"], weight: 1, infer: inferClamp },
  6: { name: "TABLE", attributes: ["first"], weight: 4, infer: (_, [x, t]) => ({ ...x, lo: t.lo, hi: t.hi }) },
  7: { name: "REDUCE_SUM", attributes: ["axis"], weight: 1, infer: inferSum },
  8: { name: "REDUCE_MAX", attributes: ["axis"], weight: 1, infer: ([axis], [x]) => ({ ...reduce(x, axis), lo: x.lo, hi: x.hi }) },
  9: { name: "VIEW", attributes: ["offset", "rows", "cols"], weight: 4, infer: ([, rows, cols], [x]) => ({ ...x, rows: size(rows), cols: size(cols) }) },
  10: { name: "GATHER", attributes: [], weight: 4, infer: (_, [t, i]) => ({ ...t, rows: i.rows }) },
  11: { name: "CONCAT", attributes: ["axis"], weight: 1, infer: inferConcat },
  12: { name: "RANDOM", attributes: ["rows", "cols", "bits"], weight: 4, infer: inferRandom },
};

// Returns {inputs, values, outputs, nodes, tickets, units}. A value is {number, name, detail, operands, type, tickets, body}.
// Throws an Error if the bytes are no program.
export function readProgram(bytes) {
  return readGraph(decode(bytes), 0, { nodes: 0 });
}

function readGraph(parts, nesting, seen) {
  expect(Array.isArray(parts) && parts.length === 4 && parts[0] === 1 && nesting <= MAX_NESTING, "its head");
  const [, inputs, nodes, outputs] = parts;
  expect([inputs, nodes, outputs].every(Array.isArray), "its parts");
  seen.nodes += nodes.length;
  expect(seen.nodes <= MAX_NODES, "the number of its nodes");
  const values = inputs.map((input, number) => ({ number, operands: [], isInput: true, ...readInput(input) }));
  values.forEach((value) => checkType(value.type));
  const total = { tickets: 0, units: 0 };
  for (const node of nodes) {
    const found = readNode(node, values, nesting, seen);
    total.tickets += found.tickets;
    total.units += found.units;
    for (const [n, type] of found.types.entries()) {
      checkType(type);
      const name = found.types.length > 1 ? `${found.name} · result ${n}` : found.name;
      values.push({ number: values.length, name, detail: found.detail, operands: node[1], type, tickets: n ? 0 : found.tickets, body: n ? null : found.body });
    }
  }
  expect(outputs.length <= MAX_OUTPUTS && outputs.every((number) => number in values), "an output's number");
  return { inputs: values.slice(0, inputs.length), values, outputs, nodes: seen.nodes, ...total };
}

function readInput(input) {
  const [[rows, cols, lo, hi], [kind, data, dtype]] = input;
  const type = { rows: Number(rows), cols: Number(cols), lo: BigInt(lo), hi: BigInt(hi) };
  if (kind === 0) return { type, name: "given input", detail: "" };
  if (kind === 1) return { type, name: "stored input", detail: dtype === 1 ? "matrix" : "file", stored: toHex(data) };
  expect(kind === 2, "an input's source");
  return { type, name: "inline input", detail: data.length === 1 ? "1 byte" : `${data.length} bytes` };
}

function readNode([op, operands], values, nesting, seen) {
  expect(operands.every((number) => number in values), "an operand's number");
  const types = operands.map((number) => values[number].type);
  if (op[0] === REPEAT) return readLoop(op, nesting, seen);
  const rule = OPS[op[0]];
  expect(rule !== undefined, `its operation ${op[0]}`);
  const attributes = op.slice(1), type = rule.infer(attributes, types);
  const detail = rule.attributes.map((name, n) => `${name} ${describe(attributes[n])}`).join(", ");
  return { name: rule.name, detail, types: [type], body: null, ...count(op, types, type, rule.weight) };
}

function readLoop([, times, body, carried], nesting, seen) {
  const inner = readGraph(body, nesting + 1, seen), count = Number(times);
  const stacked = inner.outputs.slice(carried).map((number) => inner.values[number].type)
    .map((type) => ({ ...type, rows: type.rows * count }));
  const entries = stacked.reduce((sum, type) => sum + type.rows * type.cols / count, 0);
  return {
    name: "REPEAT", detail: `${count} times, ${carried} carried`, body: inner,
    types: [...inner.inputs.slice(0, carried).map((value) => value.type), ...stacked],
    tickets: count * inner.tickets, units: count * (inner.units + Math.max(1, Math.ceil(entries / UNIT_ELEMENTS))),
  };
}

function count([number, blocks], [x], type, weight) {
  if (number === MATMUL_T) {
    const tickets = blocks * Math.ceil(x.rows / blocks / 16) * Math.ceil(type.cols / 16) * Math.ceil(x.cols / 1024);
    return { tickets, units: tickets + 1 };
  }
  const counted = number === REDUCE_SUM || number === REDUCE_MAX ? x : type;
  return { tickets: 0, units: Math.max(1, Math.ceil(weight * counted.rows * counted.cols / UNIT_ELEMENTS)) };
}

// Bounds are checked node by node, so that no number grows without end.
function checkType({ rows, cols, lo, hi }) {
  expect(rows >= 1 && cols >= 1 && rows * cols <= MAX_SIZE, "a value's size");
  expect(-MAX_VALUE <= lo && lo <= hi && hi <= MAX_VALUE, "a value's interval");
}

function expect(holds, what) {
  if (!holds) throw new Error(`this is no program: ${what}`);
}

const size = (dimensions) => dimensions.reduce((all, [length]) => all * Number(length), 1);
const describe = (value) => (Array.isArray(value) ? value.map((pair) => pair.join("×")).join(" ") : String(value));
const broadcast = (a, b) => ({ rows: Math.max(a.rows, b.rows), cols: Math.max(a.cols, b.cols) });
const reduce = (x, axis) => (axis === 0 ? { rows: 1, cols: x.cols } : { rows: x.rows, cols: 1 });
const least = (numbers) => numbers.reduce((a, b) => (b < a ? b : a));
const greatest = (numbers) => numbers.reduce((a, b) => (b > a ? b : a));
const multiply = (a, b) => [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];

function inferProduct([blocks], [x, w]) {
  const corners = multiply(x, w), depth = BigInt(x.cols);
  return { rows: x.rows, cols: w.rows / Number(blocks), lo: depth * least(corners), hi: depth * greatest(corners) };
}

function inferMul([shift], [a, b]) {
  expect(shift >= 0 && shift <= MAX_SHIFT, "a shift");
  const corners = multiply(a, b), by = BigInt(shift), half = (1n << by) >> 1n;
  return { ...broadcast(a, b), lo: (least(corners) + half) >> by, hi: (greatest(corners) + half) >> by };
}

function inferDivision(_, [a, b]) {
  expect(b.lo >= 1n, "a divisor below 1");
  return { ...broadcast(a, b), lo: a.lo / (a.lo < 0n ? b.lo : b.hi), hi: a.hi / (a.hi < 0n ? b.hi : b.lo) };
}

function inferClamp([low, high], [x]) {
  const clamp = (value) => least([greatest([value, BigInt(low)]), BigInt(high)]);
  return { ...x, lo: clamp(x.lo), hi: clamp(x.hi) };
}

function inferSum([axis], [x]) {
  const terms = BigInt(axis === 0 ? x.rows : x.cols);
  return { ...reduce(x, axis), lo: terms * x.lo, hi: terms * x.hi };
}

function inferConcat([axis], types) {
  const add = (side) => types.reduce((all, type) => all + type[side], 0);
  return {
    rows: axis === 0 ? add("rows") : types[0].rows, cols: axis === 0 ? types[0].cols : add("cols"),
    lo: least(types.map((type) => type.lo)), hi: greatest(types.map((type) => type.hi)),
  };
}

function inferRandom([rows, cols, bits]) {
  expect(bits >= 1 && bits <= MAX_BITS, "the bits of random numbers");
  const half = 1n << BigInt(bits - 1);
  return { rows: Number(rows), cols: Number(cols), lo: -half, hi: half - 1n };
}

// Returns the fields of a function's spec; arguments are text.
export function readFunction(bytes) {
  const [version, module, args, pages, steps, outputBytes, seed] = decode(bytes);
  if (version !== 1 || !Array.isArray(args)) throw new Error("this is no function's specification");
  const text = new TextDecoder();
  return { module: toHex(module), args: args.map((arg) => text.decode(arg)), pages, steps, outputBytes, seed: seed && toHex(seed) };
}
