"""Reads a block's status from the ledger."""

from inos.network.ports import LedgerPort
from inos.primitives.units import BlockId


def get_status_name(ledger: LedgerPort, id: BlockId) -> str:
    """Return "unknown", "header", "stored", "connected" or "invalid"."""
    status = ledger.get_status(id)
    text = str(getattr(status, "name", status)).lower()
    for name in ("unknown", "header", "stored", "connected", "invalid"):
        if text.startswith(name):
            return name
    return "unknown"


def is_known(ledger: LedgerPort, id: BlockId) -> bool:
    """Return True if the header of the block need not be requested."""
    return get_status_name(ledger, id) != "unknown"


def is_usable(ledger: LedgerPort, id: BlockId) -> bool:
    """Return True if this node has the header."""
    return ledger.get_header(id) is not None


def needs_body(ledger: LedgerPort, id: BlockId) -> bool:
    """Return True if this node has the header and not the body."""
    return get_status_name(ledger, id) == "header"
