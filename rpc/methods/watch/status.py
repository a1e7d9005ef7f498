"""watch_status: the watcher of optimistic results."""

from typing import Annotated

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import AccountAddress, Count, Model, NanoAmount, NoParams
from inos.rpc.ports import NodePort


class WatcherStatusModel(Model):
    """What the watcher has done since the node started."""

    address: Annotated[
        AccountAddress, Field(description="The account that sends challenges, pays their fees, and is paid for them.")
    ]
    balance: Annotated[NanoAmount, Field(description="The balance of that account.")]
    checked: Annotated[Count, Field(description="Results that were checked completely.")]
    wrong: Annotated[Count, Field(description="Results that were found to be wrong.")]
    challenged: Annotated[Count, Field(description="Challenges sent.")]
    unavailable: Annotated[
        Count, Field(description="Results whose matrices could not be fetched before they were paid.")
    ]
    last_error: Annotated[str, Field(description="What last went wrong; empty if nothing did.")]


@method("watch_status", is_protected=True)
async def watch_status(node: NodePort, params: NoParams) -> WatcherStatusModel:
    """Return what the watcher of optimistic results has done."""
    if node.watcher is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-watcher",
            "this node does not check optimistic results",
            hint="start it with --watch",
        )
    status = node.watcher.get_status()
    return WatcherStatusModel(
        address=make_renderer(node).address(status.address),
        balance=str(node.ledger.state.get_account(status.address).balance),
        checked=status.checked,
        wrong=status.wrong,
        challenged=status.challenged,
        unavailable=status.unavailable,
        last_error=status.last_error,
    )
