// Final and justified checkpoints, the votes in progress, the epochs that have ended, and the committee.

import { call, subscribe } from "../api.js";
import { drawChart } from "../chart.js";
import { accountLink, ago, blockLink, count, el, finalityTag, link, percent, roughCredits, short, show, stat, table } from "../dom.js";

const EPOCHS = 50, LISTED = 12;
const MEMBERS = [
  ["voter", (member) => accountLink(member.address)],
  ["key", (member) => el("span", { class: "mono", title: member.key }, short(member.key))],
  ["weight", (member) => el("span", {}, roughCredits(member.weight), " credits"), "number"],
  ["share", (member) => percent(member.share), "number"],
  ["mined lately", (member) => el("span", {}, roughCredits(member.mined), " credits"), "number"],
];
const BALLOTS = [
  ["epoch", (ballot) => blockLink(ballot.target.id, count(ballot.target.epoch)), "number"],
  ["from epoch", (ballot) => blockLink(ballot.source.id, count(ballot.source.epoch)), "number"],
  ["votes received", (ballot) => `${ballot.votes} of ${ballot.members}`, "number"],
  ["pot", (ballot) => el("span", {}, roughCredits(ballot.pot), " credits"), "number"],
];
const EPOCH_COLUMNS = [
  ["epoch", (one) => count(one.epoch), "number"],
  ["checkpoint", (one) => blockLink(one.id, count(one.height)), "number"],
  ["time", (one) => ago(one.time_ms)],
  ["state", finalityTag],
  ["signed", ({ votes }) => (votes ? `${count(votes.signed)} of ${count(votes.members)} voters` : "–"), "number"],
  ["weight", ({ votes }) => (votes ? percent(shareOf(votes)) : "–"), "number"],
  ["needed", ({ votes }) => (votes ? percent(Number(votes.quorum) / Number(votes.weight)) : "–"), "number"],
];

const shareOf = (votes) => (Number(votes.weight) ? Number(votes.signed_weight) / Number(votes.weight) : 0);

export async function showFinality(main) {
  const page = { key: null, charts: el("div", { class: "charts" }), epochs: el("div"), isDrawing: false };
  const draw = async () => {
    if (page.isDrawing) return;
    page.isDrawing = true;
    try {
      await drawAll(main, page);
    } finally {
      page.isDrawing = false;
    }
  };
  await draw();
  return subscribe("heads", {}, draw);
}

async function drawAll(main, page) {
  const [status, committee] = await Promise.all([call("finality_status"), call("finality_committee")]);
  const key = `${status.epoch}/${status.justified_height}/${status.final_height}`;
  if (page.key !== key && !page.charts.contains(document.activeElement)) {
    await drawEpochs(page);
    page.key = key;
  }
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
    el("h2", {}, "Epochs"), page.charts, page.epochs,
    el("h2", {}, `Committee of epoch ${count(committee.epoch)}`),
    table(MEMBERS, members, "There are no voters, so no block becomes final."),
    ...drawSlashable(status.slashable_keys));
}

async function drawEpochs(page) {
  const { epochs } = await call("finality_listEpochs", { limit: EPOCHS });
  const voted = epochs.filter((one) => one.votes).reverse();
  const common = { isTime: true, isStepped: true };
  show(page.charts,
    drawChart({ ...common, title: "Voters", names: ["signed", "in the committee"],
      lines: [voted.map((one) => [one.time_ms, one.votes.signed]), voted.map((one) => [one.time_ms, one.votes.members])] }),
    drawChart({ ...common, title: "Signed, part of the committee's weight", format: percent, names: ["signed", "needed"],
      lines: [voted.map((one) => [one.time_ms, shareOf(one.votes)]),
        voted.map((one) => [one.time_ms, Number(one.votes.quorum) / Number(one.votes.weight)])] }));
  show(page.epochs, table(EPOCH_COLUMNS, epochs.slice(0, LISTED), "No epoch has ended yet."));
}

const toBlock = (checkpoint, height) => link(`#/block/${checkpoint.id}`, count(height));

function drawSlashable(keys) {
  if (!keys.length) return [];
  return [el("h2", {}, "To be slashed"), el("p", {}, "The voters with these keys signed two votes that exclude each other:"),
    el("ul", {}, ...keys.map((key) => el("li", { class: "mono" }, key)))];
}
