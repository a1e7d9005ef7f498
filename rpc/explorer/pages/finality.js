// What is final, what is being voted on, and who votes.

import { call, subscribe } from "../api.js";
import { accountLink, blockLink, count, el, figure, link, percent, short, show, table } from "../dom.js";

const MEMBERS = [
  ["voter", (member) => accountLink(member.address)],
  ["key", (member) => el("span", { class: "mono", title: member.key }, short(member.key)), "wide"],
  ["weight", (member) => `${count(member.weight)} tickets`, "number"],
  ["share", (member) => percent(member.share), "number"],
];
const BALLOTS = [
  ["epoch", (ballot) => blockLink(ballot.target.id, String(ballot.target.epoch)), "number"],
  ["from epoch", (ballot) => blockLink(ballot.source.id, String(ballot.source.epoch)), "number"],
  ["votes heard", (ballot) => `${ballot.votes} of ${ballot.members}`, "number"],
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
    el("dl", { class: "figures" },
      figure("final", toBlock(status.final, status.final_height), "never undone"),
      figure("justified", toBlock(status.justified, status.justified_height), "by two thirds"),
      figure("behind", count(status.unfinalized_blocks), "blocks"),
      figure("epoch", count(status.epoch), `of ${count(status.epoch_blocks)} blocks`),
      figure("voters", count(status.voters), "registered")),
    el("h2", {}, "Being voted on"),
    table(BALLOTS, status.ballots, "Nothing is voted on now."),
    el("h2", {}, `Committee of epoch ${count(committee.epoch)}`),
    table(MEMBERS, members, "Nobody votes: nothing becomes final until somebody does."),
    ...drawCaught(status.slashable_keys));
}

const toBlock = (checkpoint, height) => link(`#/block/${checkpoint.id}`, count(height));

function drawCaught(caught) {
  if (!caught.length) return [];
  return [el("h2", {}, "Caught"), el("p", {}, "Who holds these keys signed two votes that exclude each other:"),
    el("ul", {}, ...caught.map((key) => el("li", { class: "mono" }, key)))];
}
