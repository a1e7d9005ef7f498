"""miner_*: the node's miner, seen and switched. All of them need the token."""

from typing import Annotated

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.ports import MinerControl, NodePort
from inos.rpc.render import make_renderer
from inos.rpc.schemas import AddressText, Count, Hex32, Model, NoParams


class MinerModel(Model):
    """What the miner does, and what it came to since the node started."""

    state: Annotated[str, Field(description="stopped, idle, job (a paid product) or filler.")]
    purpose: str
    beneficiary: Annotated[AddressText, Field(description="Who is paid.")]
    worker: Annotated[AddressText | None, Field(description="The account that claims jobs; null: claims nothing.")]
    can_claim: Annotated[bool, Field(description="False where the miner has no key, and so takes no paid job.")]
    job: Annotated[Hex32 | None, Field(description="The job being multiplied.")]
    jobs_held: Count
    job_tickets: Count
    filler_tickets: Count
    tickets_per_second: float
    blocks_won: Count
    blocks_stale: Count
    jobs_settled: Count
    jobs_lost: Count
    last_error: str


@method("miner_status", is_protected=True)
async def miner_status(node: NodePort, params: NoParams) -> MinerModel:
    """What the miner is doing and has won."""
    return render_miner(node, get_miner(node))


@method("miner_start", is_protected=True)
async def miner_start(node: NodePort, params: NoParams) -> MinerModel:
    """Begin to mine, or go on; the status afterwards."""
    miner = get_miner(node)
    miner.start()
    return render_miner(node, miner)


@method("miner_stop", is_protected=True)
async def miner_stop(node: NodePort, params: NoParams) -> MinerModel:
    """Pause mining; rows of a product already made are kept. The status afterwards."""
    miner = get_miner(node)
    miner.stop()
    return render_miner(node, miner)


def get_miner(node: NodePort) -> MinerControl:
    if node.miner is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-miner",
            "this node was started without a miner",
            hint="start it with --mine and the address to earn blocks for",
        )
    return node.miner


def render_miner(node: NodePort, miner: MinerControl) -> MinerModel:
    status = miner.get_status()
    return MinerModel(
        state=str(status.state),
        purpose=status.purpose,
        beneficiary=make_renderer(node).address(status.beneficiary),
        worker=None if status.worker is None else make_renderer(node).address(status.worker),
        can_claim=status.can_claim,
        job=None if status.job is None else status.job.hex(),
        jobs_held=status.jobs_held,
        job_tickets=status.job_tickets,
        filler_tickets=status.filler_tickets,
        tickets_per_second=round(status.tickets_per_second, 3),
        blocks_won=status.blocks_won,
        blocks_stale=status.blocks_stale,
        jobs_settled=status.jobs_settled,
        jobs_lost=status.jobs_lost,
        last_error=status.last_error,
    )
