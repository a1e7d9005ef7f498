// The jobs, newest first, live.

import { call, subscribe } from "../api.js";
import { accountLink, count, credits, el, jobLink, show, table } from "../dom.js";

const STATES = ["", "open", "claimed", "delivered", "disputed", "settled", "cancelled", "undecided"];
export const KIND_NAMES = { product: "product", program: "program", function: "function" };
export const STATE_TAG = (job) => el("span", { class: job.state === "settled" ? "tag" : "tag plain" }, job.state);
const COLUMNS = [
  ["job", (job) => jobLink(job.id)],
  ["state", STATE_TAG],
  ["work", (job) => (job.task ? job.kind : `${job.x.rows} × ${job.x.cols} · ${job.w.cols} × ${job.w.rows}`)],
  ["units", (job) => count(job.units), "number"],
  ["reward", (job) => credits(job.reward), "number"],
  ["posted", (job) => count(job.posted_at), "number"],
  ["mode", (job) => job.mode],
  ["posted by", (job) => accountLink(job.poster)],
];

export async function showJobs(main, state = "") {
  const chosen = STATES.includes(state) ? state : "";
  const holder = el("div");
  const select = el("select", {
    id: "state", "aria-label": "State of the jobs",
    onchange: (event) => (location.hash = `#/jobs/${event.target.value}`),
  }, STATES.map((one) => el("option", { value: one, selected: one === chosen }, one || "all states")));
  let isPaged = false;
  const draw = async (after, before) => {
    isPaged = after !== null;
    const page = await call("job_list", { order: "newest", limit: 30, ...(chosen && { state: chosen }), ...(after && { after }) });
    const jobs = [...before, ...page.jobs];
    const more = page.next && el("button", { type: "button", onclick: () => draw(page.next, jobs) }, "Older");
    show(holder, table(COLUMNS, jobs, "There are no such jobs yet."), el("div", { class: "tools" }, more || ""));
  };
  await draw(null, []);
  show(main, el("h1", {}, "Jobs"), el("div", { class: "tools" }, select), holder);
  // Older jobs that the reader has leafed to stay as they are.
  return subscribe("jobs", {}, () => (isPaged ? null : draw(null, [])));
}
