// Reads a published run of training (docs/learning.md): its manifest, its spec, and the records of its steps from the last one
// back. Every file and record is compared with the id by which another one names it.

import { call } from "./api.js";
import { fromBase64 } from "./bytes.js";
import { computeFileId, fetchMatrix, fetchShape } from "./matrices.js";

export const MAX_MANIFEST_BYTES = 512;
export const MAX_STEPS = 1000; // A read returns no more steps.
export const MAX_JOBS = 1000; // The newest jobs of the chain among which tasks are looked for.
const JOBS = 200; // Of one answer.
const MAX_SPEC_BYTES = 512 * 1024;
const ROW_BYTES = 1024, ROWS = 1024; // A read fetches so many rows of the records' file at most.
const HASHED_AT_ONCE = 32;
const LOSS_UNIT = 4096, NEWLINE = 10;
const ID = /^[0-9a-f]{64}$/, WORD = /^[a-z_]{1,32}$/, MOST = 2 ** 31;
const isId = (value) => typeof value === "string" && ID.test(value);
const isWord = (value) => typeof value === "string" && WORD.test(value);
const isNumber = (value, least = 1) => Number.isInteger(value) && value >= least && value <= MOST;

// Each of these throws an Error if the bytes are something else.
export function readManifest(bytes) {
  const found = bytes.length <= MAX_MANIFEST_BYTES ? parse(bytes) : null;
  const { version, spec, records, head } = found?.value ?? {};
  const text = JSON.stringify({ version, spec, records, head });
  if (version !== 1 || ![spec, records, head].every(isId) || found.text !== text) throw new Error("The file is no manifest of a training run.");
  return { spec, records, head };
}

export function readSpec(bytes) {
  const { text, value } = parse(bytes) ?? {};
  const { version, gradient, update, prediction, weights, state, steps, shards, examples, terms, loss, optimiser, parameters } = value ?? {};
  const isRight = version === 1 && [gradient, update, prediction, weights, state].every(isId)
    && [steps, shards, examples, terms].every((one) => isNumber(one)) && isWord(loss) && isWord(optimiser?.name)
    && Array.isArray(parameters) && parameters.every((one) => Array.isArray(one?.sizes) && one.sizes.every((size) => isNumber(size, 0)));
  const size = isRight ? parameters.reduce((sum, { sizes }) => sum + sizes.reduce((all, one) => all * one, 1), 0) : NaN;
  if (!Number.isSafeInteger(size)) throw new Error("The manifest names a file as the run's spec that is none.");
  return { gradient, update, prediction, weights, state, steps, shards, examples, loss, size, optimiser: optimiser.name,
    terms: terms * shards, seed: text.match(/"seed":(\d{1,19}),/)?.[1] ?? "" };
}

export function readStep(bytes, spec) {
  const { text, value } = parse(bytes) ?? {};
  const { run, step, parent, shards, weights, state, loss, right } = value ?? {};
  const isRight = [run, parent, weights, state].every(isId) && isNumber(step) && step <= spec.steps && Array.isArray(shards)
    && shards.length === spec.shards && shards.every((one) => isId(one?.gradient) && isId(one?.metrics))
    && Number.isSafeInteger(loss) && Number.isSafeInteger(right) && right >= 0 && right <= spec.terms;
  const written = isRight && JSON.stringify({ run, step, parent, shards: shards.map(({ gradient, metrics }) => ({ gradient, metrics })),
    weights, state, loss, right });
  if (!isRight || text !== written) throw new Error("A line is no record of a step of this run, or has numbers that no step gives");
  return { run, step, parent, shards, weights, state, loss: loss / LOSS_UNIT / spec.terms, share: right / spec.terms };
}

function parse(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch {
    return null;
  }
}

// Returns a run without steps, which `readBack` adds. `end` is where the line before the first known record ends, and `parent`
// the id that the record there must have.
export async function openRun(id) {
  if (!isId(id)) throw new Error(`${id} is no id: an id has 64 hex digits.`);
  const manifest = readManifest(await fetchFile(id, MAX_MANIFEST_BYTES, "The manifest of a training run"));
  const spec = readSpec(await fetchFile(manifest.spec, MAX_SPEC_BYTES, "The run's spec"));
  const file = await explain("The file of the run's records", manifest.records, () => fetchShape(manifest.records));
  if (file.dtype !== "bytes") throw new Error("The manifest names a matrix of numbers as the file of the run's records.");
  const run = { id, manifest, spec, steps: [], end: file.size, parent: manifest.head, isWhole: false };
  if (file.size === 0) finish(run);
  return run;
}

// Puts earlier steps before those of the run, at most MAX_STEPS, and throws an Error at the first record that does not belong
// there; those after it stay.
export async function readBack(run, onProgress = () => {}) {
  const last = Math.ceil(run.end / ROW_BYTES), first = Math.max(0, last - ROWS);
  const { data } = await call("mesh_getRows", { id: run.manifest.records, first, count: last - first });
  const bytes = fromBase64(data).subarray(0, run.end - first * ROW_BYTES);
  const most = run.steps.length + MAX_STEPS;
  let at = bytes.length;
  while (at > 0 && run.steps.length < most) {
    const start = at > 1 ? bytes.lastIndexOf(NEWLINE, at - 2) + 1 : 0;
    if (start === 0 && first > 0) break; // The line begins before these rows.
    if (bytes[at - 1] !== NEWLINE) throw new Error("The file of the run's records ends within a line.");
    await addBefore(run, bytes.subarray(start, at - 1));
    at = start;
    run.end = first * ROW_BYTES + at;
    if (run.steps.length % HASHED_AT_ONCE) continue;
    onProgress(run.steps.length);
    await new Promise((done) => setTimeout(done));
  }
  if (at === bytes.length) throw new Error(`A record is longer than ${ROWS} KiB, which is too much for this page. Read the run with inos learn fetch.`);
  if (run.end === 0) finish(run);
}

async function addBefore(run, line) {
  const next = run.steps[0], id = await computeFileId(line);
  const place = next ? `before step ${next.step}` : "at the end";
  if (id !== run.parent) {
    throw new Error(`The record ${place} is not the one that ${next ? "this step" : "the manifest"} names: a record was changed, or one is missing.`);
  }
  let step = null;
  try {
    step = readStep(line, run.spec);
  } catch (error) {
    throw new Error(`${error.message}: the one ${place}.`);
  }
  if (step.run !== run.manifest.spec) throw new Error(`The record ${place} is of another run, ${step.run}.`);
  if (next && step.step !== next.step - 1) throw new Error(`The record ${place} is of step ${step.step}.`);
  run.steps.unshift({ id, ...step });
  run.parent = step.parent;
}

// The first step names the spec as its parent. A run that has no steps yet has the spec's id as its head.
function finish(run) {
  const [first] = run.steps;
  if (first && first.step !== 1) throw new Error(`The file of the run's records begins with step ${first.step}: those before are missing.`);
  if (run.parent !== run.manifest.spec) {
    throw new Error(first ? "The first step does not name the run's spec as what it begins with." : "The run has no records, and the manifest names a last one.");
  }
  run.isWhole = true;
}

async function fetchFile(id, most, name) {
  const shape = await explain(name, id, () => fetchShape(id));
  if (shape.dtype !== "bytes" || shape.size > most) throw new Error(`${name} is a file of at most ${most} bytes; ${id} is none.`);
  const { data } = await explain(name, id, () => fetchMatrix(id));
  if ((await computeFileId(data)) !== id) throw new Error(`${name} is damaged: the node sent other bytes than those of ${id}.`);
  return data;
}

async function explain(name, id, fetchIt) {
  try {
    return await fetchIt();
  } catch (error) {
    if (!error.isDown) error.message = `${name}, ${id}, cannot be fetched: ${error.message}`;
    throw error;
  }
}

const makeKey = (program, outputs) => `${program} ${outputs.join(" ")}`;

// Returns the tasks among the newest of the chain that delivered what steps of the run name, by program and outputs. If there are
// several for the same, the first one counts. `isAll` is false if older tasks were not looked at.
export async function findTasks({ gradient, update }) {
  const tasks = new Map();
  let after = null;
  for (let read = 0; read < MAX_JOBS; read += JOBS) {
    const found = await call("job_list", { order: "newest", limit: JOBS, ...(after && { after }) });
    for (const job of found.jobs) {
      if (job.outputs && [gradient, update].includes(job.task?.spec)) tasks.set(makeKey(job.task.spec, job.outputs), job);
    }
    after = found.next;
    if (after === null) break;
  }
  return { tasks, isAll: after === null };
}

// Returns the tasks of a step: those of its shards, and that of its update.
export function listTasks({ gradient, update }, step, tasks) {
  const keys = step.shards.map((shard) => makeKey(gradient, [shard.gradient, shard.metrics]));
  return [...keys, makeKey(update, [step.weights, step.state])].map((key) => tasks.get(key)).filter(Boolean);
}

// Returns [step, value] for at most `most` points; each is the mean of as many neighbouring steps.
export function average(steps, value, most) {
  const points = Math.min(most, steps.length);
  return Array.from({ length: points }, (_, n) => {
    const part = steps.slice(Math.floor((steps.length * n) / points), Math.floor((steps.length * (n + 1)) / points));
    return [part[part.length - 1].step, part.reduce((sum, step) => sum + value(step), 0) / part.length];
  });
}
