"""job_get and job_list."""

from typing import Annotated, Final, Literal

from pydantic import Field

from inos.primitives.units import JobId
from inos.rpc.errors import make_invalid_param, make_not_found
from inos.rpc.method import Example, method
from inos.rpc.models.jobs import JobModel
from inos.rpc.models.render import STATES, make_renderer, read_address
from inos.rpc.models.values import AccountAddress, Hash, JobState, Model
from inos.rpc.ports import NodePort

MAX_PAGE: Final = 200
IN_POOL_HINT: Final = "the transaction that posts it may still be in the pool: see tx_pool"


class JobParams(Model):
    id: Annotated[Hash, Field(description="The job's id, which is the id of the transaction that posted it.")]


class JobListParams(Model):
    state: Annotated[JobState | None, Field(description="List only jobs in this state.")] = None
    poster: Annotated[AccountAddress | None, Field(description="List only jobs that this account posted.")] = None
    worker: Annotated[
        AccountAddress | None, Field(description="List only jobs that this account claimed or delivered.")
    ] = None
    after: Annotated[Hash | None, Field(description="The `next` of the page before; null for the first page.")] = None
    order: Annotated[Literal["oldest", "newest"], Field(description="Which jobs come first.")] = "oldest"
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, description="The most jobs to list.")] = 50


class JobPageModel(Model):
    """A page of jobs."""

    jobs: Annotated[list[JobModel], Field(description="The jobs, in the order of their posting.")]
    next: Annotated[Hash | None, Field(description="Pass it as `after` to get the next page; null at the end.")]


@method("job_get")
async def job_get(node: NodePort, params: JobParams) -> JobModel:
    """Return a job from the tip's state. A job that is still in the pool is not found."""
    job_id = JobId(bytes.fromhex(params.id))
    state = node.ledger.state
    job = state.get_job(job_id)
    if job is None:
        raise make_not_found("job", params.id, hint=IN_POOL_HINT)
    found = make_renderer(node).job(job_id, job, state.get_claim(job_id))
    done = None if node.miner is None else node.miner.get_rows_done(job_id)
    return found.model_copy(update={"rows_done": done})


@method("job_list", examples=(Example("open jobs", {"state": "open", "limit": 10}),))
async def job_list(node: NodePort, params: JobListParams) -> JobPageModel:
    """List jobs by state, poster and worker, a page at a time, oldest or newest first."""
    _check_cursor(node, params.after)
    found = node.ledger.reader.list_jobs(
        state=None if params.state is None else STATES[params.state],
        poster=None if params.poster is None else read_address(node, params.poster, "poster"),
        worker=None if params.worker is None else read_address(node, params.worker, "worker"),
        after=None if params.after is None else JobId(bytes.fromhex(params.after)),
        limit=params.limit + 1,
        newest_first=params.order == "newest",
    )
    renderer, state = make_renderer(node), node.ledger.state
    page = [renderer.job(job_id, job, state.get_claim(job_id)) for job_id, job in found[: params.limit]]
    return JobPageModel(jobs=page, next=page[-1].id if len(found) > params.limit else None)


def _check_cursor(node: NodePort, after: str | None) -> None:
    """Refuse a job that a reorg has removed: the listing would start again without notice."""
    if after is not None and node.ledger.state.get_job(JobId(bytes.fromhex(after))) is None:
        raise make_invalid_param(
            "after",
            "no such job is on the best chain; a reorg may have removed it",
            code="bad-cursor",
            hint="start again with the first page",
        )
