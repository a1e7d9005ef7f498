// A lineage of evolution: the fitness over its generations, the family tree of its islands, and its records.

import { drawChart } from "../chart.js";
import { count, el, facts, jobLink, link, short, show, table } from "../dom.js";
import { drawTree, fetchLineage } from "../evolution.js";

const MAX_RECORDS = 400; // The page fetches no more records.
const MAX_LISTED = 60;
const file = (id) => link(`#/matrix/${id}`, short(id), { class: "mono", title: id });
const record = (id) => link(`#/evolution/${id}`, short(id), { class: "mono", title: id });
const COLUMNS = [
  ["generation", (one) => count(one.number), "number"],
  ["fitness", (one) => count(one.fitness), "number"],
  ["record", (one) => record(one.id)],
  ["island", (one) => el("span", { class: "mono" }, one.seed.slice(0, 8))],
  ["taken from", (one) => (one.cited ? record(one.cited) : "")],
  ["genome", (one) => file(one.genome)],
  ["task", (one) => (one.task ? jobLink(one.task) : "computed by its owner")],
];

export async function showEvolution(main, id) {
  const status = el("p", { class: "quiet", role: "status" }, "fetching records …"), holder = el("div", {}, status);
  show(main, el("h1", {}, "Evolution"), holder);
  let isLeft = false;
  const draw = async () => {
    const found = await fetchLineage(id, MAX_RECORDS, (done) => (status.textContent = `fetched ${done} records …`));
    if (!isLeft) show(holder, ...describe(id, found));
  };
  draw().catch((error) => show(holder, el("p", { class: "card bad", role: "alert" }, error.message)));
  return () => (isLeft = true);
}

function describe(id, { records, missing, left }) {
  const head = records.get(id), newest = [...records.values()].sort((a, b) => b.number - a.number);
  const own = newest.filter((one) => one.island === head.island).reverse();
  const islands = new Set(newest.map((one) => one.island)).size;
  return [
    el("div", { class: "card" }, facts([
      ["record", el("code", {}, id)],
      ["run", file(head.run)],
      ["owner", el("code", {}, head.owner)],
      ["seed", el("code", {}, head.seed)],
      ["generation", `${count(head.number)}, with fitness ${count(head.fitness)}`],
      ["map of elites", head.elites ? file(head.elites) : "none"],
      ["records", `${count(records.size)} of ${islands === 1 ? "one island" : `${islands} islands`}`,
        missing.size ? `; ${missing.size} are not at hand` : "", left ? `; the page reads up to ${MAX_RECORDS}` : ""],
    ]), el("p", { class: "quiet" }, "The page shows what records claim. ", el("code", {}, `inos evolve replay ${id} --rpc URL`),
      " computes them again.")),
    el("div", { class: "charts" }, drawChart({ title: "Fitness", lines: [own.map((one) => [one.number, one.fitness])], xName: "generation", fromZero: false })),
    el("h2", {}, "Family tree"), el("div", { class: "card scroll", id: "tree" }, drawTree(records, id)),
    el("h2", {}, "Records"), table(COLUMNS, newest.slice(0, MAX_LISTED)),
    newest.length > MAX_LISTED ? el("p", { class: "quiet" }, `${count(newest.length - MAX_LISTED)} older records are not listed.`) : null,
  ];
}
