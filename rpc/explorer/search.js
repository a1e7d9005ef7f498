// Finds the page for a search: a height, the id of a block, transaction or job, or an address.

import { call } from "./api.js";

const HEIGHT = /^#?\d{1,15}$/;
const ID = /^(0x)?[0-9a-f]{64}$/i;
const ADDRESS = /^[a-z]{1,20}1[02-9ac-hj-np-z]{20,90}$/i;

export async function search(text) {
  if (HEIGHT.test(text)) {
    const height = Number(text.replace("#", ""));
    return (await exists("chain_getHeader", { block: height })) ? `#/block/${height}` : null;
  }
  if (ID.test(text)) return searchId(text.toLowerCase().replace("0x", ""));
  if (ADDRESS.test(text)) {
    return (await exists("state_getAccount", { address: text.toLowerCase() })) ? `#/account/${text.toLowerCase()}` : null;
  }
  return null;
}

async function searchId(id) {
  const [block, job, tx] = await Promise.all([
    exists("chain_getHeader", { block: id }), exists("job_get", { id }), exists("chain_getTransaction", { id }),
  ]);
  if (block) return `#/block/${id}`;
  if (job) return `#/job/${id}`;
  return tx ? `#/tx/${id}` : null;
}

async function exists(method, params) {
  try {
    await call(method, params);
    return true;
  } catch {
    return false;
  }
}
