"""Jobs in every state, made in as few blocks as the rules allow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, Final

import msgspec
from numpy.typing import NDArray

from inos.bench.blocks.workshop import Workshop
from inos.primitives.matrices import DType, MatrixRef, make_matrix_ref
from inos.primitives.transactions import (
    MAX_TASK_FILES,
    ClaimJob,
    JobMode,
    PostJob,
    PostTask,
    SubmitOutcome,
    SubmitResult,
    TaskKind,
    Transaction,
    compute_tx_id,
)
from inos.primitives.units import U64_MAX, Hash, JobId
from inos.work.limbs import multiply_int7

ROWS: Final = 16
WINDOW: Final = 5000
"""Blocks; longer than any chain here waits."""
REWARD: Final = 1000
_tags = count(1)


def make_ref(dtype: DType = DType.INT7, rows: int = ROWS, cols: int = 64) -> MatrixRef:
    """Return a matrix that nobody has."""
    return make_matrix_ref(dtype, rows, cols, Hash(next(_tags).to_bytes(32, "big")))


def make_post(shop: Workshop, mode: JobMode, **changes: Any) -> PostJob:
    """Return a small job with operands of its own; `changes` replace its fields."""
    post = PostJob(
        x=make_ref(),
        w=make_ref(),
        reward=REWARD,
        bond=shop.params.min_bond,
        claim_window=WINDOW,
        deadline=shop.height + WINDOW,
        mode=mode,
        max_burn=U64_MAX,
    )
    return msgspec.structs.replace(post, **changes)


def make_post_task(shop: Workshop) -> PostTask:
    """Return a small task with as many inputs as a task may have."""
    files = tuple(next(_tags).to_bytes(32, "big") for _ in range(MAX_TASK_FILES + 1))
    return PostTask(
        kind=TaskKind.PROGRAM,
        spec=files[0],
        inputs=files[1:],
        tickets=1,
        units=1,
        reward=REWARD,
        bond=shop.params.min_bond,
        claim_window=WINDOW,
        deadline=shop.height + WINDOW,
        max_burn=U64_MAX,
    )


def post(shop: Workshop, mode: JobMode, number: int, **changes: Any) -> list[JobId]:
    """Put open jobs on the chain."""
    return post_all(shop, [make_post(shop, mode, **changes) for _ in range(number)])


def post_all(shop: Workshop, posts: Sequence[PostJob | PostTask]) -> list[JobId]:
    """Put these jobs on the chain."""
    orders = list(shop.order(posts))
    shop.mine(orders)
    return [JobId(compute_tx_id(tx)) for tx in orders]


def claim(shop: Workshop, jobs: Iterable[JobId]) -> Iterator[Transaction]:
    """Yield claims of jobs; `deliver` delivers in the same order."""
    return shop.order(ClaimJob(job) for job in jobs)


def deliver(shop: Workshop, jobs: Iterable[JobId], results: Iterable[MatrixRef]) -> Iterator[Transaction]:
    """Yield results of jobs that `claim` claimed, by the same accounts."""
    return shop.order(SubmitResult(job, y) for job, y in zip(jobs, results, strict=False))


def deliver_outcomes(shop: Workshop, jobs: Iterable[JobId]) -> Iterator[Transaction]:
    """Yield outcomes of tasks that `claim` claimed, each with as many outputs as one may have."""
    outputs = tuple(bytes([n]) * 32 for n in range(MAX_TASK_FILES))
    return shop.order(SubmitOutcome(job, outputs) for job in jobs)


def make_results() -> Iterator[MatrixRef]:
    """Yield results of the right shape for `make_post`, which nobody has."""
    while True:
        yield make_ref(DType.INT32, ROWS, ROWS)


def deliver_optimistic(shop: Workshop, number: int, **changes: Any) -> list[JobId]:
    """Put jobs on the chain whose results wait to be paid; the shop has a committee."""
    jobs = post(shop, JobMode.OPTIMISTIC, number, **changes)
    shop.mine(claim(shop, jobs))
    shop.mine(deliver(shop, jobs, make_results()))
    return jobs


def claim_real(shop: Workshop, products: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> list[tuple[JobId, MatrixRef]]:
    """Put claimed checked jobs on the chain, and all their matrices into the store; return each with its result."""
    posts, results = [], []
    known: dict[tuple[int, int], tuple[MatrixRef, MatrixRef, MatrixRef]] = {}
    for x, w in products:
        key = id(x), id(w)
        if key not in known:
            y = multiply_int7(x, w)
            known[key] = shop.store.put(x), shop.store.put(w), shop.store.put(y)
        ref_x, ref_w, ref_y = known[key]
        posts.append(make_post(shop, JobMode.CHECKED, x=ref_x, w=ref_w))
        results.append(ref_y)
    jobs = post_all(shop, posts)
    shop.mine(claim(shop, jobs))
    return list(zip(jobs, results, strict=True))
