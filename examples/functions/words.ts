// Counts the words of its input: stdin -> one line "word count" for each word, in the order of the bytes.
// An argument is the least count that is shown.

function read(): string {
  const bytes = new Array<u8>();
  const piece = new ArrayBuffer(65536);
  for (;;) {
    const got = process.stdin.read(piece);
    if (got <= 0) break;
    for (let at = 0; at < got; at++) bytes.push(load<u8>(changetype<usize>(piece) + at));
  }
  // Latin-1 keeps every byte as one character, so that words are sorted by their bytes.
  let text = "";
  const codes = new StaticArray<i32>(bytes.length);
  for (let at = 0; at < bytes.length; at++) codes[at] = bytes[at];
  text = String.fromCharCodes(codes.slice<Array<i32>>());
  return text;
}

function write(text: string): void {
  const bytes = new ArrayBuffer(text.length);
  for (let at = 0; at < text.length; at++) store<u8>(changetype<usize>(bytes) + at, <u8>text.charCodeAt(at));
  process.stdout.write(bytes);
}

const least = process.argv.length > 1 ? I32.parseInt(process.argv[1]) : 1;
const text = read();
const counts = new Map<string, i32>();
let word = "";
let start = 0;
for (let at = 0; at <= text.length; at++) {
  const code = at < text.length ? text.charCodeAt(at) : 32;
  if (code != 32 && code != 9 && code != 10 && code != 13) continue;
  if (at > start) {
    word = text.substring(start, at);
    counts.set(word, counts.has(word) ? counts.get(word) + 1 : 1);
  }
  start = at + 1;
}
const lines = new Array<string>();
const words = counts.keys().sort();
for (let at = 0; at < words.length; at++) {
  const count = counts.get(words[at]);
  if (count >= least) lines.push(words[at] + " " + count.toString() + "\n");
}
write(lines.join(""));
