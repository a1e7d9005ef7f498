// Functions that write numbers, amounts, sizes and times as text. Groups of digits are joined by a narrow space at which
// no line is broken.

const THIN = "\u202f";
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function count(number) {
  return BigInt(number).toString().replace(/\B(?=(\d{3})+$)/g, THIN);
}

// Returns an amount in nano as credits with all of its digits.
export function credits(nano) {
  const value = BigInt(nano), size = value < 0n ? -value : value;
  const digits = (size % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return (value < 0n ? "−" : "") + count(size / 1_000_000_000n) + (digits ? "." + digits : "");
}

// Returns an amount in nano as credits with at most three decimals, cut off; a tiny amount keeps its first digit.
export function cutCredits(nano) {
  const [whole, rest = ""] = credits(nano).split(".");
  const kept = rest.slice(0, Math.max(3, whole === "0" ? rest.search(/[1-9]/) + 1 : 3)).replace(/0+$/, "");
  return kept ? `${whole}.${kept}` : whole;
}

export function percent(share) {
  return `${(100 * share).toFixed(share >= 0.0995 || share === 0 ? 0 : 1)}${THIN}%`;
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(ms < 100_000 ? 1 : 0)}${THIN}s`;
}

// Returns a length of time in its two largest units, e.g. 3 min 20 s.
export function duration(ms) {
  const parts = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  let rest = Math.round(Math.max(0, ms) / 1000);
  const first = Math.max(0, parts.findIndex(([size]) => rest >= size));
  if (rest === 0) return `0${THIN}s`;
  return parts.slice(first, first + 2).map(([size, unit]) => {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    return whole ? `${whole}${THIN}${unit}` : "";
  }).filter(Boolean).join(" ");
}

// Returns a size in the largest binary unit of which there is at least one.
export function bytes(number) {
  let unit = 0, size = Number(number);
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${count(number)}${THIN}bytes` : `${size < 10 ? size.toFixed(1) : count(Math.round(size))}${THIN}${UNITS[unit]}`;
}

export function age(ms, now = Date.now()) {
  const passed = Math.max(0, now - ms) / 1000;
  if (passed < 90) return `${Math.round(passed)}${THIN}s ago`;
  if (passed < 5400) return `${Math.round(passed / 60)}${THIN}min ago`;
  return passed < 172_800 ? `${Math.round(passed / 3600)}${THIN}h ago` : `${count(Math.round(passed / 86_400))}${THIN}days ago`;
}

const two = (number) => String(number).padStart(2, "0");

// Returns the date as 2026-11-30 in the reader's time zone.
export function day(ms) {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// Returns the time of day as 17:04:09 in the reader's time zone.
export function clock(ms) {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

// Returns a number with three significant digits and a letter for its size, e.g. 12.3 k or 1.5 µ.
export function shorten(number) {
  const size = Math.abs(number);
  for (const [unit, name] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit) return `${trim(number / unit)}${THIN}${name}`;
  }
  if (size >= 1e-3 || size < 1e-12) return trim(size < 1e-12 ? 0 : number);
  const [unit, name] = [[1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]].find(([least]) => size >= least);
  return `${trim(number / unit)}${THIN}${name}`;
}

const trim = (number) => String(Number(number.toPrecision(3)));
