"""job_*: products that somebody pays for."""

from typing import Annotated, Literal

from pydantic import Field

from inos.primitives.units import JobId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort
from inos.rpc.render import STATES, make_renderer, read_address
from inos.rpc.schemas import AddressText, Hex32, JobModel, JobStateName, Model

MAX_PAGE = 200


class JobParams(Model):
    id: Annotated[Hex32, Field(description="The job's id, which is the id of the transaction that posted it.")]


class JobListParams(Model):
    state: Annotated[JobStateName | None, Field(description="Only jobs in this state.")] = None
    poster: Annotated[AddressText | None, Field(description="Only jobs posted by this address.")] = None
    worker: Annotated[AddressText | None, Field(description="Only jobs claimed or delivered by this address.")] = None
    after: Annotated[Hex32 | None, Field(description="The `next` of the page before.")] = None
    order: Annotated[Literal["oldest", "newest"], Field(description="Which end comes first.")] = "oldest"
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50


class JobPage(Model):
    jobs: list[JobModel]
    next: Annotated[Hex32 | None, Field(description="Pass as `after` for the next page; null at the end.")]


@method("job_get")
async def job_get(node: NodePort, params: JobParams) -> JobModel:
    """One job as the tip's state has it. A job still in the pool is not known here yet."""
    job_id = JobId(bytes.fromhex(params.id))
    state = node.ledger.state
    job = state.get_job(job_id)
    if job is None:
        raise make_not_found("job", params.id, hint="its transaction may still wait in the pool: see tx_pool")
    found = make_renderer(node).job(job_id, job, state.get_claim(job_id))
    done = None if node.miner is None else node.miner.get_rows_done(job_id)
    return found.model_copy(update={"rows_done": done})


@method("job_list", examples=(Example("open jobs", {"state": "open", "limit": 10}),))
async def job_list(node: NodePort, params: JobListParams) -> JobPage:
    """Jobs by state, poster and worker, a page at a time, oldest or newest first."""
    _check_cursor(node, params.after)
    found = node.ledger.list_jobs(
        state=None if params.state is None else STATES[params.state],
        poster=None if params.poster is None else read_address(node, params.poster, "poster"),
        worker=None if params.worker is None else read_address(node, params.worker, "worker"),
        after=None if params.after is None else JobId(bytes.fromhex(params.after)),
        limit=params.limit + 1,
        newest_first=params.order == "newest",
    )
    renderer, state = make_renderer(node), node.ledger.state
    page = [renderer.job(job_id, job, state.get_claim(job_id)) for job_id, job in found[: params.limit]]
    return JobPage(jobs=page, next=page[-1].id if len(found) > params.limit else None)


def _check_cursor(node: NodePort, after: str | None) -> None:
    """A page cannot go on after a job that a reorganisation took away: it would begin again unnoticed."""
    if after is not None and node.ledger.state.get_job(JobId(bytes.fromhex(after))) is None:
        raise make_invalid_param(
            "after",
            "there is no such job on the best chain (any more)",
            code="bad-cursor",
            hint="begin with the first page again",
        )
