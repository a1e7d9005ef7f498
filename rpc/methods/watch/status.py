"""watch_status: what a node that checks optimistic results has seen."""

from typing import Annotated

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.ports import NodePort
from inos.rpc.render import make_renderer
from inos.rpc.schemas import AddressText, Count, Model, NanoText, NoParams


class WatchModel(Model):
    """Counts since the node was started."""

    address: Annotated[AddressText, Field(description="Who sends challenges, pays their fees, and is paid for them.")]
    balance: NanoText
    checked: Annotated[Count, Field(description="Results checked to the end.")]
    wrong: Count
    challenged: Annotated[Count, Field(description="Challenges sent.")]
    unavailable: Annotated[Count, Field(description="Results whose matrices could not be had in their window.")]
    last_error: str


@method("watch_status", is_protected=True)
async def watch_status(node: NodePort, params: NoParams) -> WatchModel:
    """What the watcher does, and what it came to."""
    if node.watcher is None:
        raise RpcError(errors.UNAVAILABLE, "no-watcher", "this node does not watch", hint="start it with --watch")
    status = node.watcher.get_status()
    return WatchModel(
        address=make_renderer(node).address(status.address),
        balance=str(node.ledger.state.get_account(status.address).balance),
        checked=status.checked,
        wrong=status.wrong,
        challenged=status.challenged,
        unavailable=status.unavailable,
        last_error=status.last_error,
    )
