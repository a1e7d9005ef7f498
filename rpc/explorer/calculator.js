// A form that asks the node what a product would cost: what posting burns, what workers are paid, and how long it takes.

import { call } from "./api.js";
import { copyButton, count, credits, duration, el, facts, roughCredits, show } from "./dom.js";

const FIELDS = [["m", "rows of A", 1024], ["k", "columns of A, rows of B", 1024], ["n", "columns of B", 1024]];
const WAIT_MS = 250;
const MODES = { checked: "checked by every node", optimistic: "optimistic: paid unless it is challenged" };

export function makeCalculator() {
  const answer = el("div", { id: "quote", role: "status" });
  const inputs = Object.fromEntries(FIELDS.map(([name, text, value]) => [name, el("input",
    { id: `quote-${name}`, type: "number", min: "1", step: "1", inputmode: "numeric", value: String(value), required: true, "aria-label": text })]));
  let timer = null, asked = 0;
  const ask = async () => {
    const own = ++asked;
    const size = Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, Number(input.value)]));
    const wrong = FIELDS.find(([name]) => !Number.isInteger(size[name]) || size[name] < 1);
    for (const [name] of FIELDS) inputs[name].setAttribute("aria-invalid", String(wrong?.[0] === name));
    if (wrong) return show(answer, el("p", { class: "bad" }, `Enter a whole number above 0 for the ${wrong[1]}.`));
    try {
      const quote = await call("job_quote", size);
      if (own === asked) show(answer, ...describe(size, quote));
    } catch (error) {
      if (own === asked) show(answer, el("p", { class: "bad" }, error.message), error.hint ? el("p", {}, error.hint) : null);
    }
  };
  const form = el("form", { class: "quote", oninput: () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  }, onsubmit: (event) => {
    event.preventDefault();
    ask();
  } }, FIELDS.map(([name, text]) => el("label", {}, el("span", {}, `${name}, ${text}`), inputs[name])), el("button", { class: "main" }, "Compute"));
  ask();
  return el("section", { class: "card", "aria-labelledby": "calculator" },
    el("h2", { id: "calculator" }, "What would my product cost?"),
    el("p", { class: "quiet" }, "A is m × k, B is k × n, of whole numbers from −64 to 63."), form, answer);
}

function describe({ m, k, n }, quote) {
  const total = (reward) => BigInt(reward) + BigInt(quote.burn);
  const row = (name, reward, text) => [name, roughCredits(total(reward)), ` credits: ${credits(reward)} for the worker`, text];
  const command = `import inos\nwith inos.connect("${location.origin}") as client:\n    print(client.quote(${m}, ${n}, ${k}))`;
  return [
    facts([
      row("typical", quote.rewards.typical, quote.sample
        ? `, the median of ${count(quote.sample)} settled jobs`
        : ", since no job was settled lately"),
      quote.sample ? row("cheaper", quote.rewards.low, ", which may wait longer") : null,
      quote.sample ? row("sooner", quote.rewards.fast, "") : null,
      ["burned of it", roughCredits(quote.burn), " credits by posting, which no worker gets"],
      ["time", quote.expected_s === null ? "unknown: nobody seems to mine"
        : `about ${duration(1000 * quote.expected_s)}, ${count(quote.expected_blocks)} blocks`],
      ["work", `${count(quote.tickets)} tickets, ${count(BigInt(m) * BigInt(k) * BigInt(n))} multiply-accumulates`],
      ["result", `${MODES[quote.mode]}, because ${quote.mode_reason}`],
    ]),
    el("p", {}, copyButton(command, "Python code that asks for this quote", "Copy as Python")),
  ];
}
