"""net_bans and net_unban."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc.method import Example, method
from inos.rpc.models.values import Count, Model, NoParams, UnixMs
from inos.rpc.ports import NodePort


class BanModel(Model):
    """A node or a network group that is refused for a time."""

    kind: Annotated[Literal["node", "group"], Field(description="What is banned.")]
    subject: Annotated[str, Field(description="The node's id, or the network group, such as 20.1.0.0/16.")]
    until_ms: Annotated[UnixMs, Field(description="When the ban ends.")]
    since_ms: Annotated[UnixMs, Field(description="When it began.")]
    reason: Annotated[
        str, Field(description="The code of the misbehaviour, or how many nodes of the group were banned.")
    ]


class BanListModel(Model):
    """The bans in force."""

    count: Annotated[Count, Field(description="The number of bans.")]
    bans: Annotated[list[BanModel], Field(description="The bans: nodes first, then network groups.")]


class UnbanParams(Model):
    subject: Annotated[
        str,
        Field(
            min_length=3,
            max_length=300,
            description='A node\'s id or at least its first eight digits, a network group, or "all".',
        ),
    ]


class LiftedBansModel(Model):
    """The result of lifting bans."""

    lifted: Annotated[Count, Field(description="The number of bans that were lifted.")]


@method("net_bans", is_protected=True)
async def net_bans(node: NodePort, params: NoParams) -> BanListModel:
    """List the nodes and network groups that this node refuses now, until when, and why."""
    bans = [
        BanModel(
            kind="group" if ban.is_group else "node",
            subject=ban.subject,
            until_ms=ban.until_ms,
            since_ms=ban.since_ms,
            reason=ban.reason,
        )
        for ban in node.p2p.list_bans()
    ]
    return BanListModel(count=len(bans), bans=bans)


@method("net_unban", is_protected=True, examples=(Example("lift every ban", {"subject": "all"}),))
async def net_unban(node: NodePort, params: UnbanParams) -> LiftedBansModel:
    """Lift the ban of a node or of a network group, or all bans."""
    return LiftedBansModel(lifted=node.p2p.bans.lift(params.subject))
