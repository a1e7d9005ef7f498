// Finds the page for a search: a height, an address, the id of a block, transaction, job, matrix or file; of the first
// three also its first digits.

import { call } from "./api.js";
import { findFilePage } from "./records.js";

const HEIGHT = /^#?\d{1,15}$/;
const ID = /^(0x)?[0-9a-f]{64}$/i;
const PREFIX = /^(0x)?[0-9a-f]{4,63}$/i;
const ADDRESS = /^[a-z]{1,20}1[02-9ac-hj-np-z]{20,90}$/i;

export async function search(text) {
  if (HEIGHT.test(text)) {
    const height = Number(text.replace("#", ""));
    if (await exists("chain_getHeader", { block: height })) return `#/block/${height}`;
  }
  if (ID.test(text)) return searchId(text.toLowerCase().replace("0x", ""));
  if (ADDRESS.test(text)) {
    return (await exists("state_getAccount", { address: text.toLowerCase() })) ? `#/account/${text.toLowerCase()}` : null;
  }
  const matches = await findMatches(text);
  return matches.length === 1 ? matches[0].page : null;
}

// Everything whose id begins with the text, each with its page.
export async function findMatches(text) {
  if (!PREFIX.test(text)) return [];
  const { matches } = await call("chain_find", { prefix: text.toLowerCase().replace("0x", "") });
  const pages = { block: "block", job: "job", transaction: "tx" };
  return matches.filter(({ kind }) => pages[kind]).map(({ kind, id }) => ({ kind, id, page: `#/${pages[kind]}/${id}` }));
}

async function searchId(id) {
  const [block, job, tx, matrix] = await Promise.all([
    exists("chain_getHeader", { block: id }), exists("job_get", { id }), exists("chain_getTransaction", { id }),
    exists("mesh_getRows", { id, count: 0 }),
  ]);
  if (block) return `#/block/${id}`;
  if (job) return `#/job/${id}`;
  if (tx) return `#/tx/${id}`;
  return matrix ? findFilePage(id) : null;
}

async function exists(method, params) {
  try {
    await call(method, params);
    return true;
  } catch {
    return false;
  }
}
