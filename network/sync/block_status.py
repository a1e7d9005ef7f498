"""Reading a ledger's answer about a block."""

from inos.network.ports import LedgerPort
from inos.primitives.units import BlockId


def get_status_name(ledger: LedgerPort, id: BlockId) -> str:
    """unknown, header, stored, connected or invalid."""
    status = ledger.get_status(id)
    text = str(getattr(status, "name", status)).lower()
    for name in ("unknown", "header", "stored", "connected", "invalid"):
        if text.startswith(name):
            return name
    return "unknown"


def is_known(ledger: LedgerPort, id: BlockId) -> bool:
    """Whether there is nothing left to ask about the block's header."""
    return get_status_name(ledger, id) != "unknown"


def is_usable(ledger: LedgerPort, id: BlockId) -> bool:
    """Whether the header is here."""
    return ledger.get_header(id) is not None


def needs_body(ledger: LedgerPort, id: BlockId) -> bool:
    """Whether the header is here and the body is not."""
    return get_status_name(ledger, id) == "header"
