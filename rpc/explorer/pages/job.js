// A job: its events, and for a product its matrices as pictures and Freivalds' check, which the browser makes itself.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, copyable, count, credits, el, facts, link, shorten, show, table } from "../dom.js";
import { check, computeSeed } from "../freivalds.js";
import { fetchMatrix } from "../matrices.js";
import { captioned, drawMatrix } from "../picture.js";
import { STATE_TAG } from "./jobs.js";
import { computePrice } from "./market.js";
import { showTask } from "./task.js";

const MAX_BYTES = 24 * 2 ** 20; // The most bytes of all three matrices that the page fetches.
const EVENT_COLUMNS = [
  ["height", (event) => blockLink(String(event.height), String(event.height)), "number"],
  ["event", (event) => event.event],
  ["worker", (event) => (event.worker ? accountLink(event.worker) : "")],
  ["amount", (event) => credits(event.amount), "number"],
];

export async function showJob(main, id) {
  const overview = el("div", { class: "card" }), events = el("div"), matrices = el("div");
  let result = null;
  const draw = async () => {
    const [job, history] = await Promise.all([call("job_get", { id }), call("job_history", { id })]);
    show(overview, facts(listFacts(job)));
    show(events, table(EVENT_COLUMNS, history.events));
    const y = job.task ? (job.outputs ?? []).join() : job.y?.id ?? "";
    if (y !== result) job.task ? showTask(matrices, job) : drawMatrices(matrices, job);
    result = y;
    return job;
  };
  const first = await draw();
  const title = first.task ? `The ${first.kind}` : "X, W and Y";
  show(main, el("h1", {}, "Job"), overview, el("h2", {}, "Events"), events, el("h2", {}, title), matrices);
  return subscribe("jobs", { job: id }, draw);
}

function listFacts(job) {
  return [
    ["id", copyable(job.id, "the job's id")],
    ["state", STATE_TAG(job)],
    job.task ? [job.kind, el("code", {}, job.task.spec)]
      : ["product", `X ${job.x.rows} × ${job.x.cols} times Wᵀ ${job.w.cols} × ${job.w.rows}`],
    job.task ? ["units", `${count(job.units)}, of which ${count(job.tickets)} are tickets`] : ["tickets", count(job.tickets)],
    ["reward", `${credits(job.reward)} credits, ${shorten(computePrice(job))} for 10¹² multiply-accumulates`],
    ["burned", `${credits(job.burned)} credits by posting`],
    ["bond", `${credits(job.bond)} credits of the worker`],
    ["posted by", copyable(job.poster, "the poster's address", `#/account/${job.poster}`), " in block ",
      blockLink(String(job.posted_at), count(job.posted_at))],
    ["worker", job.worker ? copyable(job.worker, "the worker's address", `#/account/${job.worker}`) : "none yet"],
    ["mode", job.mode === "checked" ? "checked: every node checks the result"
      : `optimistic: the result can be ${job.task ? "disputed" : "challenged"} before it is paid`],
    ["deadline", `block ${count(job.deadline)}`],
    job.closed_at ? ["closed", "in block ", blockLink(String(job.closed_at), count(job.closed_at)),
      `, ${count(job.closed_at - job.posted_at)} blocks after it was posted`] : null,
    ["transaction", link(`#/tx/${job.id}`, "the transaction that posted it")],
  ];
}

function drawMatrices(holder, job) {
  const bytes = (job.x.rows + job.w.rows) * job.x.cols + 4 * job.x.rows * job.w.rows;
  if (bytes > MAX_BYTES) {
    return show(holder, el("p", { class: "card" }, `The matrices have ${count(bytes)} bytes, which is too much for this page. `,
      "Check the result with ", el("code", {}, `inos job receipt ${job.id}`)));
  }
  const status = el("p", { class: "verdict", role: "status", id: "freivalds" });
  const pictures = el("div", { class: "pictures" });
  const button = el("button", { type: "button", class: "main", id: "check" },
    job.y ? "Fetch the matrices and check the result" : "Fetch the operands");
  button.addEventListener("click", async () => {
    button.disabled = true;
    status.className = "verdict";
    try {
      await fetchAndCheck(job, status, pictures);
    } catch (error) {
      status.textContent = error.message;
      status.className = "verdict bad";
    }
    button.disabled = false;
  });
  show(holder, el("div", { class: "card" },
    el("p", { class: "quiet" }, "Freivalds' check: Y·R = X·(Wᵀ·R) with R derived from the ids of job and matrices. A wrong Y passes with a probability of at most 2⁻¹²⁸."),
    el("div", { class: "tools" }, button), status, pictures));
}

async function fetchAndCheck(job, status, pictures) {
  const found = {};
  pictures.replaceChildren();
  for (const [name, ref] of [["X", job.x], ["W", job.w], ["Y", job.y]]) {
    if (!ref) continue;
    status.textContent = `fetching ${name} …`;
    found[name] = await fetchMatrix(ref.id);
    const side = Math.max(ref.rows, ref.cols), zoom = side <= 128 ? 3 : side <= 256 ? 2 : 1;
    pictures.append(captioned(drawMatrix(found[name], { name, zoom }),
      link(`#/matrix/${ref.id}`, `${name}, ${ref.rows} × ${ref.cols}`)));
  }
  if (!job.y) {
    status.textContent = "There is no result to check yet.";
    return;
  }
  const start = performance.now();
  const seed = computeSeed(job.id, job.x.id, job.w.id, job.y.id);
  const outcome = await check(seed, found.X, found.W, found.Y,
    (row) => (status.textContent = `checked ${row} of ${found.Y.rows} rows …`));
  const passed = (performance.now() - start).toFixed(0);
  status.textContent = outcome.isRight ? `The result is right: checked in this browser in ${passed} ms.`
    : `The result is WRONG: row ${outcome.wrongRow} fails.`;
  status.className = `verdict ${outcome.isRight ? "good" : "bad"}`;
}
