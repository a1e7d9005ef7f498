// Final and justified checkpoints, the votes in progress, and the committee.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, el, stat, link, percent, short, show, table } from "../dom.js";

const MEMBERS = [
  ["voter", (member) => accountLink(member.address)],
  ["key", (member) => el("span", { class: "mono", title: member.key }, short(member.key))],
  ["weight", (member) => `${count(member.weight)} tickets`, "number"],
  ["share", (member) => percent(member.share), "number"],
];
const BALLOTS = [
  ["epoch", (ballot) => blockLink(ballot.target.id, String(ballot.target.epoch)), "number"],
  ["from epoch", (ballot) => blockLink(ballot.source.id, String(ballot.source.epoch)), "number"],
  ["votes received", (ballot) => `${ballot.votes} of ${ballot.members}`, "number"],
];

export async function showFinality(main) {
  let isDrawing = false;
  const draw = async () => {
    if (isDrawing) return;
    isDrawing = true;
    try {
      await drawAll(main);
    } finally {
      isDrawing = false;
    }
  };
  await draw();
  return subscribe("heads", {}, () => draw().catch(() => {}));
}

async function drawAll(main) {
  const [status, committee] = await Promise.all([call("finality_status"), call("finality_committee")]);
  const whole = Number(committee.weight);
  const members = committee.members.map((one) => ({ ...one, share: whole ? Number(one.weight) / whole : 0 }));
  show(main,
    el("h1", {}, "Finality"),
    el("dl", { class: "stats" },
      stat("final", toBlock(status.final, status.final_height), "never undone"),
      stat("justified", toBlock(status.justified, status.justified_height), "by two thirds of the votes"),
      stat("not final yet", count(status.unfinalized_blocks), "blocks"),
      stat("epoch", count(status.epoch), `of ${count(status.epoch_blocks)} blocks`),
      stat("voters", count(status.voters), "registered")),
    el("h2", {}, "Votes in progress"),
    table(BALLOTS, status.ballots, "No checkpoint is being voted on."),
    el("h2", {}, `Committee of epoch ${count(committee.epoch)}`),
    table(MEMBERS, members, "There are no voters, so no block becomes final."),
    ...drawSlashable(status.slashable_keys));
}

const toBlock = (checkpoint, height) => link(`#/block/${checkpoint.id}`, count(height));

function drawSlashable(keys) {
  if (!keys.length) return [];
  return [el("h2", {}, "To be slashed"), el("p", {}, "The voters with these keys signed two votes that exclude each other:"),
    el("ul", {}, ...keys.map((key) => el("li", { class: "mono" }, key)))];
}
