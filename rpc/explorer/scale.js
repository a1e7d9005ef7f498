// The arithmetic of charts: round numbers on an axis, round times on another, and the point next to the pointer.

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS_MS = [1000, 2000, 5000, 10_000, 20_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

// Returns two to seven round numbers that enclose [low, high].
export function chooseTicks(low, high, wanted = 4) {
  const span = high > low ? high - low : Math.abs(high) || 1;
  const raw = span / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= raw * 0.999) ?? 10 * power;
  const ticks = [];
  for (let n = Math.floor(low / step + 1e-9); ; n++) {
    ticks.push(Number((n * step).toPrecision(12)));
    if (n * step >= high - step * 1e-9 && ticks.length > 1) return ticks;
  }
}

// Returns times within [low, high] that are round in the reader's time zone, at most `most` of them.
export function chooseTimes(low, high, most = 5) {
  const step = STEPS_MS.find((one) => (high - low) / one <= most) ?? STEPS_MS[STEPS_MS.length - 1];
  const zone = new Date(low).getTimezoneOffset() * MINUTE;
  const times = [];
  for (let at = Math.ceil((low - zone) / step) * step + zone; at <= high; at += step) times.push(at);
  return times;
}

// Returns the place of the point whose x is nearest; `points` are sorted by x.
export function findNearest(points, x) {
  let low = 0, high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  return high < 0 ? -1 : x - points[low][0] <= points[high][0] - x ? low : high;
}

// Returns how a time is written on an axis of this length: with seconds, with hours, or as a day.
export function describeTime(ms, span) {
  const date = new Date(ms), two = (number) => String(number).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (span < 5 * MINUTE) return `${clock}:${two(date.getSeconds())}`;
  if (span < 2 * DAY) return clock;
  const day = `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return span < 300 * DAY ? day : `${date.getFullYear()}-${day}`;
}
