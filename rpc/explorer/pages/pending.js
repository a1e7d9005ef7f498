// The transactions that wait for a block, those that pay most first, and what a fee should be.

import { call } from "../api.js";
import { accountLink, bytes, count, el, fee, link, show, stat, table, txLink } from "../dom.js";

const EVERY_MS = 2000, LISTED = 500, SHOWN = 100;
const FEES = [["a transfer", { size: 180 }], ["a posted job", { size: 450 }], ["200 payments at once", { size: 180, payments: 200 }]];
const BANDS = [[0, 1], [1, 2], [2, 5], [5, 10], [10, 50], [50, Infinity]];
const COLUMNS = [
  ["#", (tx) => count(tx.rank), "number"],
  ["transaction", (tx) => txLink(tx.id)],
  ["kind", (tx) => tx.kind.replaceAll("_", " ")],
  ["from", (tx) => accountLink(tx.sender)],
  ["size", (tx) => bytes(tx.size), "number"],
  ["fee", (tx) => fee(tx.fee), "number"],
  ["nano per byte", (tx) => rate(tx).toFixed(2), "number"],
];
const BAND_COLUMNS = [
  ["nano per byte", (band) => (band.high === Infinity ? `${band.low} and more` : `${band.low} to ${band.high}`)],
  ["transactions", (band) => count(band.number), "number"],
  ["bytes", (band) => bytes(band.size), "number"],
  ["part", (band) => el("span", {}, bar(band.part))],
];

const rate = (tx) => Number(tx.fee) / tx.size;

function bar(part) {
  const fill = el("i");
  fill.style.width = `${100 * part}%`;
  return el("span", { class: "bar long", "aria-hidden": "true" }, fill);
}

export async function showPending(main) {
  const estimates = el("div"), list = el("div"), stats = el("dl", { class: "stats" });
  const { max_block_bytes: room } = await call("chain_getParams");
  let isReading = false;
  const draw = async () => {
    if (isReading) return;
    isReading = true;
    try {
      const [pool, ...fees] = await Promise.all([call("tx_pool", { limit: LISTED }), ...FEES.map(([, params]) => call("tx_estimateFee", params))]);
      const txs = pool.transactions.map((tx, i) => ({ ...tx, rank: i + 1 }));
      stats.replaceChildren(
        stat("waiting", count(pool.count), pool.count === 1 ? "transaction" : "transactions"),
        stat("bytes", bytes(pool.bytes), `a block has ${bytes(room)}`),
        ...fees.map((one, i) => stat(`fee of ${FEES[i][0]}`, fee(one.fee), `${one.fee_per_byte} nano per byte`)));
      show(list, table(COLUMNS, txs.slice(0, SHOWN), "No transaction waits: each is taken into a block at once."),
        txs.length > SHOWN ? el("p", { class: "quiet" }, `The first ${SHOWN} of ${count(pool.count)}.`) : "");
      show(estimates, ...(txs.length ? [el("h2", {}, "By fee"), table(BAND_COLUMNS, makeBands(txs))] : []));
    } finally {
      isReading = false;
    }
  };
  await draw();
  show(main, el("h1", {}, "Pending transactions"), stats,
    el("p", { class: "quiet" }, "The estimate is a fee with which a transaction should soon be in a block. This is the pool "
      + "of this node; others may know other transactions. Those that pay most for what they cost come first. A transaction is executed on the tip before it is taken in. ",
    link("#/blocks", "The newest blocks")), estimates, el("h2", {}, "In order"), list);
  const timer = setInterval(() => draw().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

function makeBands(txs) {
  const whole = txs.reduce((sum, tx) => sum + tx.size, 0);
  return BANDS.map(([low, high]) => {
    const own = txs.filter((tx) => rate(tx) >= low && rate(tx) < high);
    const size = own.reduce((sum, tx) => sum + tx.size, 0);
    return { low, high, number: own.length, size, part: size / whole };
  }).filter((band) => band.number);
}
