// Counts the words of its input: stdin -> one line "word count" for each word, in the order of the bytes.
// An argument is the least count that is shown.
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let least = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1u64);
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    for word in text.split(|byte| b" \t\r\n".contains(byte)).filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    let mut out = io::BufWriter::new(io::stdout());
    for (word, count) in counts.into_iter().filter(|&(_, count)| count >= least) {
        out.write_all(word)?;
        writeln!(out, " {count}")?;
    }
    out.flush()
}
