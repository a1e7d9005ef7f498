// Files of the mesh that have a page of their own, told by their bytes.

import { MAX_RECORD_BYTES, readRecord } from "./evolution.js";
import { fetchMatrix, fetchShape } from "./matrices.js";
import { MAX_MANIFEST_BYTES, readManifest } from "./training.js";

const KINDS = [
  [readRecord, "evolution", "lineage", "The file is a record of evolution: show its lineage"],
  [readManifest, "training", "training", "The file is the manifest of a training run: show its loss"],
];

// Returns the page for a file and a text about it, or null.
export function describeFile(id, data) {
  for (const [read, page, name, text] of KINDS) {
    try {
      read(data);
      return { page: `#/${page}/${id}`, name, text };
    } catch {} // It is none of this kind.
  }
  return null;
}

// Returns the page for a matrix or file that the node has.
export async function findFilePage(id) {
  const { dtype, size } = await fetchShape(id);
  const isShort = dtype === "bytes" && size <= Math.max(MAX_RECORD_BYTES, MAX_MANIFEST_BYTES);
  return (isShort && describeFile(id, (await fetchMatrix(id)).data)?.page) || `#/matrix/${id}`;
}
