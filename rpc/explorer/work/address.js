// Addresses: 20 bytes in bech32m (BIP-350) under the network's prefix.

const CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CONSTANT = 0x2bc830a3;
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM = 6, ADDRESS_BYTES = 20;

function computePolymod(values) {
  let remainder = 1;
  for (const value of values) {
    const top = remainder >>> 25;
    remainder = ((remainder & 0x1ffffff) << 5) ^ value;
    GENERATOR.forEach((factor, bit) => { if ((top >> bit) & 1) remainder ^= factor; });
  }
  return remainder >>> 0;
}

function expand(hrp) {
  const codes = [...hrp].map((letter) => letter.charCodeAt(0));
  return [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31)];
}

// Regroups bits from `width` to `wanted` a value; what is left over must be zero when groups become wider.
function regroup(values, width, wanted) {
  const groups = [];
  let bits = 0, count = 0;
  for (const value of values) {
    bits = ((bits << width) | value) & 0xfff;
    for (count += width; count >= wanted; count -= wanted) groups.push((bits >> (count - wanted)) & ((1 << wanted) - 1));
  }
  const rest = bits & ((1 << count) - 1);
  if (wanted < width) return count ? [...groups, rest << (wanted - count)] : groups;
  if (count >= width || rest) throw new Error("bits are left over at the end of the address");
  return groups;
}

export function encodeAddress(hrp, bytes) {
  const symbols = regroup(bytes, 8, 5);
  const remainder = computePolymod([...expand(hrp), ...symbols, ...new Array(CHECKSUM).fill(0)]) ^ CONSTANT;
  const checksum = Array.from({ length: CHECKSUM }, (_, at) => (remainder >>> (5 * (CHECKSUM - 1 - at))) & 31);
  return `${hrp}1${[...symbols, ...checksum].map((symbol) => CHARSET[symbol]).join("")}`;
}

// Returns the 20 bytes of an address of the network with this prefix, or throws an Error that says what is wrong.
export function decodeAddress(hrp, text) {
  const lower = text.trim().toLowerCase();
  if (lower !== text.trim() && text.trim().toUpperCase() !== text.trim()) throw new Error("upper and lower case are mixed");
  const at = lower.lastIndexOf("1"), found = lower.slice(0, Math.max(at, 0));
  if (at < 1) throw new Error(`an address of this network begins with ${hrp}1`);
  if (found !== hrp) throw new Error(`this is an address of another network: it begins with ${found.slice(0, 20)}1, not ${hrp}1`);
  const symbols = [...lower.slice(at + 1)].map((letter) => CHARSET.indexOf(letter));
  const wrong = symbols.indexOf(-1);
  if (wrong >= 0) throw new Error(`the character ${lower[at + 1 + wrong]} is not allowed in an address`);
  if (symbols.length < CHECKSUM || computePolymod([...expand(hrp), ...symbols]) !== CONSTANT) {
    throw new Error("the checksum does not match: a character is wrong or missing");
  }
  const bytes = Uint8Array.from(regroup(symbols.slice(0, -CHECKSUM), 5, 8));
  if (bytes.length !== ADDRESS_BYTES) throw new Error(`an address has ${ADDRESS_BYTES} bytes, this has ${bytes.length}`);
  return bytes;
}
