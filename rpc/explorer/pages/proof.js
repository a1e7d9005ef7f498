// What an account has, proven: the browser checks the record against the state root in a header, and that header's certificate.

import { call } from "../api.js";
import { fromHex } from "../bytes.js";
import { readHeader, readWitness, verify } from "../certificate.js";
import { count, el, link, show } from "../dom.js";
import { verifyAccount } from "../stateproof.js";
import { decodeAddress } from "../work/address.js";

export async function drawProof(holder, address) {
  holder.dataset.paged = "true"; // It is of one block, and is made again only by its button.
  const account = await call("state_getAccount", { address, prove: true });
  const found = await call("chain_getCertificate", { block: account.block });
  const header = readHeader(fromHex(found.header));
  const steps = [...verifyAccount(account, decodeAddress(address.slice(0, address.lastIndexOf("1")), address), header, account.block)];
  steps.push(checkCertificate(found, header));
  const isGood = steps.every((step) => step.isOk !== false);
  show(holder,
    el("p", { class: "quiet" }, "The node sends the account's record with the hashes beside its path in the state tree, and the header of the tip. "
      + "This page computes the rest. It trusts the node only about which block is the best."),
    el("p", { class: `verdict ${isGood ? "good" : "bad"}`, role: "status", id: "verdict" }, isGood
      ? `This is what the account has after block ${count(account.height)}.` : "The proof does not hold: do not trust this node."),
    el("ol", { class: "steps card", id: "steps" }, steps.map((step) => el("li", { class: step.isOk === null ? "" : step.isOk ? "good" : "bad" },
      el("b", {}, step.title, step.isOk === false ? ": failed" : ""), el("code", {}, step.detail)))),
    el("div", { class: "tools" }, el("button", { type: "button", onclick: () => drawProof(holder, address) }, "Prove it at the tip"),
      link(`#/block/${account.block}`, `Block ${count(account.height)}`)));
}

function checkCertificate(found, header) {
  const title = "The header is certified by work";
  if (found.height === 0) return { title: "The header is that of genesis", isOk: true, detail: "genesis has no certificate" };
  if (found.witness === null) return { title, isOk: null, detail: "not checked: the node has deleted the witness of this block" };
  const steps = [...verify(header, readWitness(fromHex(found.witness)), found.id)];
  return { title, isOk: steps.every((step) => step.isOk), detail: `${steps.filter((step) => step.isOk).length} of ${steps.length} steps hold` };
}
