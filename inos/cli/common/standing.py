"""How settled a transaction is, in the words people wait for: pending, included with its depth, final."""

from typing import Any

from inos.cli.common.output import call_rpc, fail


def describe_standing(height: int, head: dict[str, Any]) -> str:
    """Of a transaction in the connected block at `height`."""
    if height <= int(head.get("final_height") or 0):
        return "final"
    return f"included, depth {max(0, int(head['height']) - height + 1)}"


def get_head(rpc: str) -> dict[str, Any]:
    """The node's tip; "bad-response" where it is not told."""
    head = call_rpc(rpc, "chain_head")
    if not isinstance(head, dict) or "height" not in head:
        fail("bad-response", f"the node at {rpc} does not say where its chain is")
    return head


def describe_found(found: dict[str, Any]) -> str:
    """Of what `chain_getTransaction` answered."""
    if found.get("status") == "pending":
        return "pending"
    if found.get("standing") == "final":
        return "final"
    return f"included, depth {found.get('confirmations', 0)}"


def list_pending(rpc: str, address: str) -> list[dict[str, Any]]:
    """What an account has sent that waits in the node's pool."""
    pool = call_rpc(rpc, "tx_pool", {"limit": 1000})
    waiting = pool.get("transactions") if isinstance(pool, dict) else None
    return [each for each in waiting if each.get("sender") == address] if isinstance(waiting, list) else []
