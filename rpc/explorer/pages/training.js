// A published run of training: loss and right guesses over its steps, what it computes, its records, and the tasks that computed them.

import { drawChart } from "../chart.js";
import { accountLink, count, credits, el, facts, jobLink, link, percent, short, show, table } from "../dom.js";
import { rangeButtons } from "../series.js";
import { MAX_JOBS, MAX_STEPS, average, findTasks, listTasks, openRun, readBack } from "../training.js";

const POINTS = 400, MAX_LISTED = 60, MAX_LINKS = 4;
const RANGES = [["100", "100 steps"], ["1000", "1 000 steps"], ["", "all steps read"]];
const file = (id) => link(`#/matrix/${id}`, short(id), { class: "mono", title: id });
const hasGuesses = ({ loss }) => loss === "cross_entropy";

export async function showTraining(main, id) {
  const status = el("p", { class: "quiet", role: "status" }, "fetching the run; if this node lacks it, it asks others for 20 s …"), holder = el("div", {}, status);
  const page = { id, holder, status, range: "", found: null, problem: null, isLeft: false };
  show(main, el("h1", {}, "Training run"), holder);
  open(page).catch((error) => page.isLeft || show(holder, el("p", { class: "card bad", role: "alert" }, error.message)));
  return () => (page.isLeft = true);
}

async function open(page) {
  page.run = await openRun(page.id);
  await readMore(page);
  if (!page.run.steps.length || page.isLeft) return;
  try {
    page.found = await findTasks(page.run.spec);
    if (!page.isLeft) draw(page);
  } catch (error) {
    if (error.hint === undefined) throw error;
    show(page.holder.querySelector("#tasks"), `The tasks cannot be read: ${error.message}`);
  }
}

// A record that is wrong ends the reading, and the steps after it are shown. After an error of the node, the reader tries again.
async function readMore(page) {
  const { run, status } = page;
  try {
    if (!run.isWhole) await readBack(run, (done) => (status.textContent = `compared ${count(done)} records with their ids …`));
  } catch (error) {
    if (!run.steps.length || error.hint !== undefined) throw error;
    page.problem = error.message;
  }
  if (!page.isLeft) draw(page);
}

function draw(page) {
  const { run, holder } = page, [charts, note] = [el("div", { class: "charts" }), el("p", { class: "quiet" })];
  const drawCharts = (range) => {
    page.range = range;
    const shown = range ? run.steps.slice(-Number(range)) : run.steps, each = Math.ceil(shown.length / POINTS);
    note.textContent = each > 1 ? `Each point is the mean of about ${count(each)} steps.` : "Each point is a step.";
    show(charts, ...makeCharts(run.spec, shown));
  };
  drawCharts(page.range);
  show(holder, page.problem ? el("p", { class: "card bad", role: "alert" }, `${page.problem} The steps after it are shown.`) : null,
    el("div", { class: "card" }, describe(page)),
    el("div", { class: "card" }, el("p", { class: "verdict good", id: "verdict" }, describeChecks(run)),
      el("p", { class: "quiet" }, "That each step follows from the one before is what records claim. ",
        el("code", {}, `inos learn fetch ${run.id} FOLDER`), " and ", el("code", {}, "inos learn verify FOLDER"), " compute all of them again.")),
    el("div", { class: "tools" }, el("h2", {}, "Loss"), makeRanges(page, drawCharts), makeOlderButton(page)),
    note, charts, el("h2", {}, "Steps"), ...listSteps(page));
}

// Ranges that hold all steps would show the same.
function makeRanges({ run, range }, drawCharts) {
  const shorter = RANGES.filter(([steps]) => Number(steps) < run.steps.length);
  return shorter.length > 1 ? rangeButtons(range, drawCharts, shorter) : null;
}

function makeOlderButton(page) {
  if (page.run.isWhole || page.problem) return null;
  const button = el("button", { type: "button", id: "older", onclick: () => {
    button.disabled = true;
    page.status = el("span");
    return readMore(page).finally(() => (button.disabled = false));
  } }, `Read ${count(MAX_STEPS)} earlier steps`);
  return button;
}

function makeCharts(spec, steps) {
  const chart = (title, value, more) => drawChart({ title, lines: [average(steps, value, POINTS)], xName: "step", ...more });
  return [chart(spec.loss === "mse" ? "Loss, mean squared error" : `Loss, ${spec.loss.replaceAll("_", " ")}`, (step) => step.loss),
    ...(hasGuesses(spec) ? [chart("Right guesses", (step) => step.share, { format: percent })] : [])];
}

function describe({ run, found }) {
  const { spec, manifest, steps } = run, last = steps[steps.length - 1];
  return facts([
    ["run", el("code", {}, run.id)],
    ["spec", file(manifest.spec)],
    ["last record", el("code", {}, manifest.head)],
    ["steps", `${count(last?.step ?? 0)} of ${count(spec.steps)}`,
      run.isWhole ? "" : `; the last ${count(steps.length)} are read`],
    last ? ["last step", `loss ${last.loss.toPrecision(4)}`, hasGuesses(spec) ? `, ${percent(last.share)} right` : ""] : null,
    ["a step", `${count(spec.shards)} × ${count(spec.examples)} examples by ${spec.optimiser}`],
    ["model", `${count(spec.size)} weights; `, link(`#/matrix/${spec.prediction}`, "its program"), ", ",
      link(`#/matrix/${last?.weights ?? spec.weights}`, last ? "weights after the last step" : "first weights")],
    ["programs of a step", link(`#/matrix/${spec.gradient}`, "gradient"), ", ", link(`#/matrix/${spec.update}`, "update")],
    ["seed", el("code", {}, spec.seed)],
    steps.length ? ["tasks", el("span", { id: "tasks" }, ...(found ? describeTasks(run, found) : ["looking for them …"]))] : null,
  ]);
}

function describeTasks({ spec, steps, isWhole }, { tasks, isAll }) {
  const own = [...new Set(steps.flatMap((step) => listTasks(spec, step, tasks)))], all = steps.length * (spec.shards + 1);
  const looked = isAll ? "" : ` Only the newest ${count(MAX_JOBS)} jobs of the chain were looked at.`;
  if (!own.length) return [`none on this chain delivered what these steps name.${looked}`];
  const nano = own.reduce((sum, job) => sum + BigInt(job.reward) + BigInt(job.burned), 0n);
  const workers = [...new Set(own.map((job) => job.worker))], settled = own.filter((job) => job.state === "settled").length;
  const named = workers.slice(0, MAX_LINKS).flatMap((worker) => [" ", accountLink(worker)]);
  return [`${count(own.length)} for ${count(all)} parts of ${isWhole ? "all" : "these"} steps, ${count(settled)} of them settled, by `
    + `${count(workers.length)} ${workers.length === 1 ? "worker" : "workers"}:`, ...named, workers.length > MAX_LINKS ? " and others" : "", `. They cost ${credits(nano)} credits, rewards and what posting them burned.${looked}`];
}

function describeChecks({ steps, isWhole }) {
  if (!steps.length) return "The run has no steps yet. Its manifest and its spec have their ids: checked in this browser.";
  return `The manifest, the spec and ${isWhole ? "all" : "the last"} ${count(steps.length)} records have the ids by which they are named`
    + `${isWhole ? ", from the last one back to the spec" : ""}: checked in this browser.`;
}

function listSteps({ run: { spec, steps }, found }) {
  const newest = steps.slice(-MAX_LISTED).reverse(), left = steps.length - newest.length;
  const columns = [
    ["step", (step) => count(step.step), "number"],
    ["loss", (step) => step.loss.toPrecision(4), "number"],
    hasGuesses(spec) ? ["right", (step) => percent(step.share), "number"] : null,
    ["record", (step) => el("span", { class: "mono", title: step.id }, short(step.id))],
    ["weights", (step) => file(step.weights)],
    ["tasks", (step) => linkTasks(found ? listTasks(spec, step, found.tasks) : [])],
  ];
  return [table(columns.filter(Boolean), newest),
    left > 0 ? el("p", { class: "quiet" }, `${count(left)} older records are not listed.`) : null];
}

function linkTasks(jobs) {
  const links = jobs.slice(0, MAX_LINKS).flatMap((job) => [jobLink(job.id), " "]);
  return el("span", {}, ...links, jobs.length > MAX_LINKS ? `and ${count(jobs.length - MAX_LINKS)} more` : jobs.length ? "" : "none known");
}
