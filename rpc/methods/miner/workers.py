"""miner_workers: who multiplies for the node."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.values import Count, Model, NoParams
from inos.rpc.ports import NodePort
from inos.workers.messages import WorkerKind
from inos.workers.server.status import WorkersStatus


class WorkerGroup(Model):
    """All that multiplies of one kind."""

    kind: Annotated[
        Literal["own", "page", "card", "machine"],
        Field(description='"own" is the engine in the node\'s process; the others are workers.'),
    ]
    workers: Annotated[Count, Field(description="So many of them are connected; 1 for the own engine.")]
    threads: Annotated[Count, Field(description="The threads of all of them; 0 for the own engine.")]
    tickets_per_second: Annotated[
        float,
        Field(description="Tickets per second; of strangers as their shares prove it, of the own fleet as they say."),
    ]
    tickets: Annotated[Count, Field(description="Tickets drawn since they connected.")]
    pieces: Annotated[Count, Field(description="Pieces of products whose rows were checked and used.")]
    late: Annotated[Count, Field(description="Pieces that they gave back, or that another one finished first.")]


class WorkersModel(Model):
    """Who multiplies for this node, and what went wrong since it started."""

    groups: Annotated[
        list[WorkerGroup], Field(description="The own engine first, then each kind of which one is here.")
    ]
    blocks_won: Annotated[Count, Field(description="Blocks that workers found.")]
    errors: Annotated[dict[str, Count], Field(description="Workers that were disconnected, by the rule they broke.")]


@method("miner_workers")
async def miner_workers(node: NodePort, params: NoParams) -> WorkersModel:
    """Return the node's own engine and its workers by kind: pages, graphics cards, machines."""
    if node.miner is None or node.workers is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-miner",
            "this node was started without a miner",
            hint="start it with --mine and the address that its blocks should pay",
        )
    status, own = node.workers.get_status(), node.miner.get_status()
    first = WorkerGroup(
        kind="own",
        workers=1,
        threads=0,
        tickets_per_second=round(own.tickets_per_second, 3),
        tickets=own.job_tickets + own.filler_tickets - own.worker_tickets,
        pieces=0,
        late=0,
    )
    return WorkersModel(
        groups=[first, *(_sum_up(kind, status) for kind in WorkerKind if _find(kind, status))],
        blocks_won=status.blocks_won,
        errors=status.errors,
    )


def _find(kind: WorkerKind, status: WorkersStatus) -> bool:
    return any(worker.kind is kind for worker in status.workers)


def _sum_up(kind: WorkerKind, status: WorkersStatus) -> WorkerGroup:
    found = [worker for worker in status.workers if worker.kind is kind]
    names: dict[WorkerKind, Literal["page", "card", "machine"]] = {
        WorkerKind.PAGE: "page",
        WorkerKind.CARD: "card",
        WorkerKind.MACHINE: "machine",
    }
    return WorkerGroup(
        kind=names[kind],
        workers=len(found),
        threads=sum(worker.threads for worker in found),
        tickets_per_second=round(sum(worker.tickets_per_second for worker in found), 3),
        tickets=sum(worker.tickets for worker in found),
        pieces=sum(worker.pieces for worker in found),
        late=sum(worker.late for worker in found),
    )
