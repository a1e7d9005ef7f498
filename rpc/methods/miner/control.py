"""miner_status, miner_start and miner_stop: the node's own miner."""

from typing import Annotated, Literal

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import AccountAddress, Count, Hash, Model, NoParams
from inos.rpc.ports import MinerPort, NodePort


class MinerStatusModel(Model):
    """What the miner does, and what it has done since the node started."""

    state: Annotated[
        Literal["stopped", "idle", "job", "filler"],
        Field(description='"job" if it multiplies a paid job, "filler" if it multiplies for the lottery only.'),
    ]
    purpose: Annotated[
        str,
        Field(
            description="What it is set to multiply: any (paid jobs first, else filler), jobs (only) or filler (only)."
        ),
    ]
    beneficiary: Annotated[AccountAddress, Field(description="The account that its blocks pay.")]
    worker: Annotated[
        AccountAddress | None, Field(description="The account that claims jobs; null if the miner claims none.")
    ]
    can_claim: Annotated[bool, Field(description="False if the miner has no key, and so cannot claim jobs.")]
    job: Annotated[Hash | None, Field(description="The id of the job that it multiplies now; null if none.")]
    jobs_in_progress: Annotated[Count, Field(description="Jobs that it has claimed and that are not paid yet.")]
    job_tickets: Annotated[Count, Field(description="Lottery tickets drawn from paid jobs.")]
    filler_tickets: Annotated[Count, Field(description="Lottery tickets drawn from filler products.")]
    tickets_per_second: Annotated[float, Field(description="The rate over the last half minute, pauses included.")]
    blocks_won: Annotated[Count, Field(description="Blocks that it mined and that were connected.")]
    blocks_stale: Annotated[Count, Field(description="Blocks that it mined after another block of the same height.")]
    jobs_settled: Annotated[Count, Field(description="Jobs that it was paid for.")]
    jobs_lost: Annotated[Count, Field(description="Jobs that it claimed and was not paid for.")]
    jobs_taken: Annotated[Count, Field(description="Jobs that it took on since it started.")]
    jobs_taken_held: Annotated[
        Count, Field(description="Jobs among these that began without a fetch: everything they work on was here.")
    ]
    last_error: Annotated[str, Field(description="What last went wrong; empty if nothing did.")]


@method("miner_status", is_protected=True)
async def miner_status(node: NodePort, params: NoParams) -> MinerStatusModel:
    """Return what the miner is doing and what it has done."""
    return render_miner(node, get_miner(node))


@method("miner_start", is_protected=True)
async def miner_start(node: NodePort, params: NoParams) -> MinerStatusModel:
    """Start or resume mining, and return the status."""
    miner = get_miner(node)
    miner.start()
    return render_miner(node, miner)


@method("miner_stop", is_protected=True)
async def miner_stop(node: NodePort, params: NoParams) -> MinerStatusModel:
    """Pause mining, and return the status. Rows that are already computed are kept."""
    miner = get_miner(node)
    miner.stop()
    return render_miner(node, miner)


def get_miner(node: NodePort) -> MinerPort:
    """Return the node's miner; raise RpcError "no-miner" if it has none."""
    if node.miner is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-miner",
            "this node was started without a miner",
            hint="start it with --mine and the address that its blocks should pay",
        )
    return node.miner


def render_miner(node: NodePort, miner: MinerPort) -> MinerStatusModel:
    """Return the model of the miner's status."""
    status = miner.get_status()
    return MinerStatusModel(
        state=status.state.value,
        purpose=status.purpose,
        beneficiary=make_renderer(node).address(status.beneficiary),
        worker=None if status.worker is None else make_renderer(node).address(status.worker),
        can_claim=status.can_claim,
        job=None if status.job is None else status.job.hex(),
        jobs_in_progress=status.jobs_in_progress,
        job_tickets=status.job_tickets,
        filler_tickets=status.filler_tickets,
        tickets_per_second=round(status.tickets_per_second, 3),
        blocks_won=status.blocks_won,
        blocks_stale=status.blocks_stale,
        jobs_settled=status.jobs_settled,
        jobs_lost=status.jobs_lost,
        jobs_taken=status.jobs_taken,
        jobs_taken_held=status.jobs_taken_held,
        last_error=status.last_error,
    )
