// Tables as files: fields separated by commas (RFC 4180), which the browser saves.

const QUOTED = /[",\r\n]/;

// rows: arrays of text or numbers; the first one has the titles. A spreadsheet computes what begins with =, + or @ or with a
// minus that no number follows, so such a field gets an apostrophe.
export function makeCsv(rows) {
  return rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

function quote(field) {
  let text = String(field ?? "");
  if (/^[=+@\t]/.test(text) || /^-(?!\d+(\.\d+)?$)/.test(text)) text = `'${text}`;
  return QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const anchor = Object.assign(document.createElement("a"), { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Returns nano as credits with a decimal point and without spaces, as programs read them.
export function plainCredits(nano) {
  const value = BigInt(nano), size = value < 0n ? -value : value;
  return `${value < 0n ? "-" : ""}${size / 1_000_000_000n}.${(size % 1_000_000_000n).toString().padStart(9, "0")}`;
}
