// Points of secp256k1 (SEC 2), as BIP-32 and BIP-340 need them: multiples of the base point. It takes no constant time, so
// it is for keys of small sums on one's own machine only.

const P = 2n ** 256n - 2n ** 32n - 977n;
export const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const BASE = {
  x: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  y: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
};

const mod = (value) => ((value % P) + P) % P;

function invert(value) {
  let [a, b, x, y] = [mod(value), P, 1n, 0n];
  while (a > 1n) {
    const whole = b / a;
    [a, b, x, y] = [b - whole * a, a, y - whole * x, x];
  }
  return mod(x);
}

// Points are {x, y}, and null is the point at infinity.
function add(a, b) {
  if (a === null) return b;
  if (b === null) return a;
  if (a.x === b.x && mod(a.y + b.y) === 0n) return null;
  const slope = a.x === b.x ? mod(3n * a.x * a.x * invert(2n * a.y)) : mod((b.y - a.y) * invert(b.x - a.x));
  const x = mod(slope * slope - a.x - b.x);
  return { x, y: mod(slope * (a.x - x) - a.y) };
}

// Returns secret * base point, for 1 <= secret < ORDER.
export function multiplyBase(secret) {
  let sum = null;
  for (let power = BASE; secret > 0n; secret >>= 1n, power = add(power, power)) {
    if (secret & 1n) sum = add(sum, power);
  }
  return sum;
}

export function toBytes(number) {
  const bytes = new Uint8Array(32);
  for (let at = 31; at >= 0; at--, number >>= 8n) bytes[at] = Number(number & 255n);
  return bytes;
}
