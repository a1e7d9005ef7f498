// Hex, base64, little-endian numbers, and the subset of msgpack that canonical encodings use, in both directions.

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function fromBase64(text) {
  const raw = atob(text);
  return Uint8Array.from({ length: raw.length }, (_, i) => raw.charCodeAt(i));
}

export function u32(number) {
  return Uint8Array.of(number, number >>> 8, number >>> 16, number >>> 24);
}

export function areEqual(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

// Reads the bytes as a big-endian number, like a digest or a target.
export function toBigInt(bytes) {
  return BigInt("0x" + toHex(bytes));
}

// Returns the value. Arrays have the property `ends`: the offsets into the bytes at which their items end.
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count) => {
    if (at + count > bytes.length) throw new Error("the encoding is too short");
    at += count;
    return at - count;
  };
  const readBytes = (count) => {
    const start = take(count);
    return bytes.slice(start, start + count);
  };
  const readText = (count) => new TextDecoder("utf-8", { fatal: true }).decode(readBytes(count));
  const readArray = (count) => {
    const items = [];
    items.ends = [];
    for (let i = 0; i < count; i++) {
      items.push(readValue());
      items.ends.push(at);
    }
    return items;
  };
  const readValue = () => {
    const tag = view.getUint8(take(1));
    if (tag <= 0x7f) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    if (tag >= 0x90 && tag <= 0x9f) return readArray(tag & 0x0f);
    if (tag >= 0xa0 && tag <= 0xbf) return readText(tag & 0x1f);
    switch (tag) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return readBytes(view.getUint8(take(1)));
      case 0xc5: return readBytes(view.getUint16(take(2)));
      case 0xc6: return readBytes(view.getUint32(take(4)));
      case 0xcc: return view.getUint8(take(1));
      case 0xcd: return view.getUint16(take(2));
      case 0xce: return view.getUint32(take(4));
      case 0xcf: return view.getBigUint64(take(8));
      case 0xd0: return view.getInt8(take(1));
      case 0xd1: return view.getInt16(take(2));
      case 0xd2: return view.getInt32(take(4));
      case 0xd3: return view.getBigInt64(take(8));
      case 0xd9: return readText(view.getUint8(take(1)));
      case 0xda: return readText(view.getUint16(take(2)));
      case 0xdc: return readArray(view.getUint16(take(2)));
      case 0xdd: return readArray(view.getUint32(take(4)));
      default: throw new Error(`the encoding has the tag 0x${tag.toString(16)}, which no canonical encoding here uses`);
    }
  };
  const value = readValue();
  if (at !== bytes.length) throw new Error("there are more bytes after the encoding");
  return value;
}

// Returns the canonical encoding of null, a boolean, an unsigned number or BigInt, text, bytes, or an array of these.
export function encode(value) {
  const parts = [];
  write(value, parts);
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function write(value, parts) {
  if (value === null) parts.push(Uint8Array.of(0xc0));
  else if (typeof value === "boolean") parts.push(Uint8Array.of(value ? 0xc3 : 0xc2));
  else if (typeof value === "number" || typeof value === "bigint") parts.push(encodeNumber(BigInt(value)));
  else if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    parts.push(text.length < 32 ? Uint8Array.of(0xa0 | text.length) : encodeHead(text.length, 0xd9), text);
  } else if (value instanceof Uint8Array) parts.push(encodeHead(value.length, 0xc4), value);
  else {
    parts.push(value.length < 16 ? Uint8Array.of(0x90 | value.length) : encodeHead(value.length, 0xdb));
    for (const item of value) write(item, parts);
  }
}

// The shortest of three heads of a length: tag with one byte, tag + 1 with two, tag + 2 with four. Arrays have no head of
// one byte.
function encodeHead(length, tag) {
  if (length < 256 && tag !== 0xdb) return Uint8Array.of(tag, length);
  if (length < 65536) return Uint8Array.of(tag + 1, length >>> 8, length);
  return Uint8Array.of(tag + 2, length >>> 24, length >>> 16, length >>> 8, length);
}

function encodeNumber(number) {
  if (number < 0n || number >= 1n << 64n) throw new Error(`${number} is not an unsigned number of 64 bits`);
  if (number < 128n) return Uint8Array.of(Number(number));
  const power = [8n, 16n, 32n, 64n].findIndex((bits) => number < 1n << bits);
  const bytes = new Uint8Array(1 + 2 ** power);
  bytes[0] = 0xcc + power;
  for (let at = bytes.length - 1; at > 0; at--, number >>= 8n) bytes[at] = Number(number & 255n);
  return bytes;
}
