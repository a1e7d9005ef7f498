// A key made in the page, for small sums: a recovery phrase of 12 words (BIP-39), from which the wallet derives the same
// address (BIP-32, m/86'/1'/0'/0/0), kept in the browser under a password. All of it needs a secure context.

import { hash, join } from "../blake3.js";
import { fromHex, toBigInt, toHex } from "../bytes.js";
import { multiplyBase, ORDER, toBytes } from "./curve.js";

const WORDS = 12, ENTROPY_BYTES = 16;
const SEED_ROUNDS = 2048; // of BIP-39
const HARDENED = 2 ** 31;
const PATH = [86 + HARDENED, 1 + HARDENED, HARDENED, 0, 0];
const PASSWORD_ROUNDS = 600_000; // of PBKDF2 with SHA-256: about half a second
const STORED = "work-key";
const text = new TextEncoder();

export const MIN_PASSWORD = 10;

async function loadWords() {
  const response = await fetch("words.txt");
  if (!response.ok) throw new Error("the node does not serve the list of words");
  return (await response.text()).trim().split("\n");
}

// Returns the phrase of 16 bytes of entropy: 128 bits and the first 4 of their SHA-256, 11 a word.
export async function makePhrase(entropy = crypto.getRandomValues(new Uint8Array(ENTROPY_BYTES))) {
  const words = await loadWords();
  const check = new Uint8Array(await crypto.subtle.digest("SHA-256", entropy))[0] >> 4;
  const bits = (toBigInt(entropy) << 4n) | BigInt(check);
  return Array.from({ length: WORDS }, (_, at) => words[Number((bits >> BigInt(11 * (WORDS - 1 - at))) & 2047n)]).join(" ");
}

// Returns the 20 bytes of the address of the phrase's first account.
export async function computeAddress(phrase) {
  const salt = text.encode("mnemonic");
  const base = await crypto.subtle.importKey("raw", text.encode(phrase), "PBKDF2", false, ["deriveBits"]);
  const seed = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-512", salt, iterations: SEED_ROUNDS }, base, 512);
  let node = await hmac(text.encode("Bitcoin seed"), new Uint8Array(seed)), secret = toBigInt(node.subarray(0, 32));
  for (const child of PATH) {
    const index = Uint8Array.of(child >>> 24, child >>> 16, child >>> 8, child);
    const parent = child >= HARDENED ? join(Uint8Array.of(0), toBytes(secret)) : compress(multiplyBase(secret));
    node = await hmac(node.subarray(32), join(parent, index));
    secret = (secret + toBigInt(node.subarray(0, 32))) % ORDER;
  }
  return hash("address", toBytes(multiplyBase(secret).x)).slice(0, 20);
}

const compress = ({ x, y }) => join(Uint8Array.of(y & 1n ? 3 : 2), toBytes(x));

async function hmac(key, data) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-512" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, data));
}

async function deriveLock(password, salt) {
  const base = await crypto.subtle.importKey("raw", text.encode(password), "PBKDF2", false, ["deriveKey"]);
  const rule = { name: "PBKDF2", hash: "SHA-256", salt, iterations: PASSWORD_ROUNDS };
  return crypto.subtle.deriveKey(rule, base, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

// Encrypts a phrase with a password and keeps it in this browser, with its address in the clear.
export async function storePhrase(phrase, password, address) {
  const salt = crypto.getRandomValues(new Uint8Array(16)), iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await deriveLock(password, salt), text.encode(phrase));
  const kept = { address, salt: toHex(salt), iv: toHex(iv), sealed: toHex(new Uint8Array(sealed)) };
  if (findStored()) throw new Error("this browser has a key already, made in another tab; open this page again");
  localStorage.setItem(STORED, JSON.stringify(kept));
}

// Returns {address, salt, iv, sealed} of the key that this browser keeps, or null.
export function findStored() {
  try {
    return JSON.parse(localStorage.getItem(STORED));
  } catch {
    return null; // Storage is disabled, or holds something else under this name.
  }
}

// Returns the phrase, or throws an Error if the password is wrong.
export async function openStored(stored, password) {
  const lock = await deriveLock(password, fromHex(stored.salt));
  try {
    const iv = fromHex(stored.iv);
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, lock, fromHex(stored.sealed)));
  } catch {
    throw new Error("the password is wrong");
  }
}

export function forgetStored() {
  localStorage.removeItem(STORED);
}
