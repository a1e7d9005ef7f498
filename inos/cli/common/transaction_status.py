"""The status of a transaction, as commands print it: pending, included with its depth, or final."""

from typing import Any

from inos.cli.common.output import fail
from inos.cli.common.remote import call_rpc


def describe_status(height: int, head: dict[str, Any]) -> str:
    """Return the status of a transaction in the connected block at `height`."""
    if height <= int(head.get("final_height") or 0):
        return "final"
    return f"included, depth {max(0, int(head['height']) - height + 1)}"


def get_head(rpc: str) -> dict[str, Any]:
    """Return the node's tip; fail with "bad-response" if the answer has none."""
    head = call_rpc(rpc, "chain_head")
    if not isinstance(head, dict) or "height" not in head:
        fail("bad-response", f"the node at {rpc} does not return the tip of its chain")
    return head


def describe_found(found: dict[str, Any]) -> str:
    """Return the status of a transaction that `chain_getTransaction` returned."""
    if found.get("status") == "pending":
        return "pending"
    if found.get("finality") == "final":
        return "final"
    return f"included, depth {found.get('confirmations', 0)}"


def list_pending(rpc: str, addresses: set[str]) -> list[dict[str, Any]]:
    """Return the transactions in the node's pool that one of the accounts has sent."""
    pool = call_rpc(rpc, "tx_pool", {"limit": 1000})
    waiting = pool.get("transactions") if isinstance(pool, dict) else None
    return [each for each in waiting if each.get("sender") in addresses] if isinstance(waiting, list) else []
