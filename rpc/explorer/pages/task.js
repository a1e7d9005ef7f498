// What a task computes: a program's graph with types, or a function's specification, and the files that it reads and writes.

import { toHex } from "../bytes.js";
import { count, el, facts, link, table } from "../dom.js";
import { fetchRecord } from "../evolution.js";
import { describeType, drawGraph } from "../graph.js";
import { computeFileId, fetchMatrix, fetchShape } from "../matrices.js";
import { readFunction, readProgram } from "../program.js";

const MAX_BYTES = 512 * 1024; // The page reads no larger program.
const ID_BYTES = 32;
const MAX_DRAWN = 150, MAX_LISTED = 500;
const file = (id) => link(`#/matrix/${id}`, id, { class: "mono" });
const COLUMNS = [
  ["value", (value) => String(value.number), "number"],
  ["operation", (value) => (value.stored ? link(`#/matrix/${value.stored}`, value.name) : value.name)],
  ["of", (value) => value.operands.join(", ")],
  ["rows × cols, interval", (value) => describeType(value.type)],
  ["tickets", (value) => (value.tickets ? count(value.tickets) : ""), "number"],
  ["attributes", (value) => cut(value.detail)],
];

// Fills the holder; a file that is missing or malformed is told there.
export async function showTask(holder, job) {
  const picture = el("div", { id: "task" }, el("p", { class: "quiet" }, "fetching the specification …"));
  holder.replaceChildren(picture, el("h2", {}, "Files"), listFiles(job));
  showLineage(holder, job).catch(() => {}); // most tasks have none
  try {
    picture.replaceChildren(...(await describeSpec(job)));
  } catch (error) {
    picture.replaceChildren(el("p", { class: "card bad" }, error.message));
  }
}

// From the specification and the inputs every run computes the same outputs.
function listFiles(job) {
  const rows = [["specification", job.task.spec], ...job.task.inputs.map((id, n) => [`input ${n}`, id]),
    ...(job.outputs ?? []).map((id, n) => [`output ${n}`, id])];
  return el("div", { class: "card" }, facts(rows.map(([name, id]) => [name, file(id)])));
}

// A generation of evolution names the record that it begins with in its last input; the first one has zeros there.
async function showLineage(holder, job) {
  const last = job.task.inputs[job.task.inputs.length - 1];
  if (job.kind !== "program" || !last || (await fetchShape(last)).size !== ID_BYTES) return;
  const parent = toHex((await fetchMatrix(last)).data);
  await fetchRecord(parent);
  holder.append(el("p", { class: "card" }, link(`#/evolution/${parent}`, "The task is a generation of evolution: show the lineage that it goes on", { id: "lineage" })));
}

async function describeSpec(job) {
  const id = job.task.spec, shape = await fetchShape(id);
  if (shape.dtype !== "bytes") throw new Error("The specification is a matrix and no file, so nobody can compute this task.");
  if (shape.size > MAX_BYTES) {
    return [el("p", { class: "card" }, `The specification has ${count(shape.size)} bytes, which is too much for this page. Read it with `,
      el("code", {}, `inos mesh get ${id} -o FILE`))];
  }
  const { data } = await fetchMatrix(id);
  if ((await computeFileId(data)) !== id) throw new Error("The node sent other bytes than those of the specification.");
  return job.kind === "program" ? describeProgram(job, readProgram(data)) : [describeFunction(readFunction(data))];
}

function describeProgram(job, program) {
  const { values, outputs } = program, isPriced = program.tickets === Number(job.tickets) && program.units <= Number(job.units);
  const outcome = outputs.map((number) => `${number} (${describeType(values[number].type)})`).join("; ");
  return [
    el("div", { class: "card" }, facts([
      ["values", `${count(values.length)}, of which ${program.inputs.length} are inputs`],
      ["outputs", outputs.length === 1 ? `value ${outcome}` : `values ${outcome}`],
      ["cost", `${count(program.units)} units, of which ${count(program.tickets)} are tickets: computed in this browser. `,
        isPriced ? "The task pays for them." : el("b", { class: "bad" }, "The task declares others, so every outcome is wrong.")],
    ])),
    values.length <= MAX_DRAWN ? el("div", { class: "scroll drawing" }, drawGraph(program))
      : el("p", { class: "card" }, `The program has ${count(values.length)} values; the page draws up to ${MAX_DRAWN}.`),
    ...listValues("Values", program),
    ...listBodies(values),
  ];
}

function listValues(title, { values }) {
  const left = values.length - MAX_LISTED;
  return [el("h2", {}, title), table(COLUMNS, values.slice(0, MAX_LISTED)),
    left > 0 ? el("p", { class: "quiet" }, `${count(left)} more values are not listed.`) : null].filter(Boolean);
}

// Lists the bodies of the loops in a program; those inside other loops are only counted in their cost.
function listBodies(values) {
  const loops = values.filter((value) => value.body).slice(0, 8);
  return loops.flatMap((loop) => listValues(`Body of the loop of value ${loop.number}`, loop.body));
}

function describeFunction(spec) {
  return el("div", { class: "card" }, facts([
    ["module", file(spec.module)],
    ["arguments", spec.args.length ? el("code", {}, cut(spec.args.map((arg) => JSON.stringify(arg)).join(" "), 2000)) : "none"],
    ["memory", `up to ${count(spec.pages)} pages of 64 KiB`],
    ["steps", `up to ${count(spec.steps)}`],
    ["output", `up to ${count(spec.outputBytes)} bytes`],
    ["seed", spec.seed ? el("code", {}, spec.seed) : "the task's id"],
  ]));
}

function cut(text, most = 60) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
