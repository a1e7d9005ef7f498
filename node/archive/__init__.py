"""Exports a chain to one file and imports it, so that it moves between nodes without a network.

Layout: MAGIC, then frames, each `kind u8 || length u32 (big-endian) || payload || checksum (16 bytes)`. A checksum
is BLAKE3 of the one before it (zeros at first) and of all that stands before it in its own frame, so a frame that
was changed, moved or left out is noticed at once. The first frame is a `Head`, the last an `End`; between them each
block with its witness, after the matrices its results are checked with.

An importing node trusts nothing in a file: it checks every block as if a peer had sent it.
"""

from inos.node.archive.exporting import Exported, export_chain
from inos.node.archive.importing import Imported, check_head, import_chain

__all__ = ["Exported", "Imported", "check_head", "export_chain", "import_chain"]
