// Hex, base64, little-endian numbers, and the subset of msgpack that the chain's canonical encoding uses.

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

// Big-endian, as digests and targets are read.
export function toBigInt(bytes) {
  return BigInt("0x" + toHex(bytes));
}

// The value, and for arrays where each of its items ends (`ends`, offsets into the bytes).
export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const take = (count) => {
    if (at + count > bytes.length) throw new Error("the encoding is cut off");
    at += count;
    return at - count;
  };
  const readBytes = (count) => {
    const start = take(count);
    return bytes.slice(start, start + count);
  };
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
    if (tag >= 0x90 && tag <= 0x9f) return readArray(tag & 0x0f);
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
      case 0xdc: return readArray(view.getUint16(take(2)));
      default: throw new Error(`the encoding has a tag 0x${tag.toString(16)} that headers and witnesses never have`);
    }
  };
  const value = readValue();
  if (at !== bytes.length) throw new Error("something stands behind the encoding");
  return value;
}
