"""Jobs whose data lies here: what counts, and that they are preferred at nearly equal pay."""

from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos import work
from inos.consensus.posting import make_job
from inos.consensus.records import Job
from inos.miner.holdings import Holdings
from inos.miner.jobs import JobManager
from inos.miner.policy import Holding, rank_offers
from inos.miner.stats import MinerStats
from inos.miner.transaction_queue import TransactionQueue
from inos.primitives.transactions import PostTask, TaskKind, compute_tx_id, sign_transaction
from inos.primitives.units import Address, Height, JobId, MatrixId
from inos.programs import encode_program
from inos.programs.builder import ProgramBuilder
from support.miner_kernel import KEY, ME, SETTINGS
from support.miner_node import FakeMatrices, FakeNode
from unit.miner.test_policy import make_offer


def put_file(matrices: FakeMatrices, data: bytes) -> MatrixId:
    id = work.compute_file_id(data)
    matrices[id] = np.frombuffer(data, np.uint8)
    return id


def make_task(kind: TaskKind, spec: bytes, *inputs: bytes) -> Job:
    payload = PostTask(kind, spec, inputs, 0, 1, 10, 10, 20, 100, 100)
    return make_job(Address(bytes(20)), payload, Height(1), 1)


def test_a_program_is_held_with_its_inputs_and_its_weights() -> None:
    matrices, b = FakeMatrices(), ProgramBuilder()
    weights = np.arange(-32, 32, dtype=np.int8).reshape(1, 64)
    built = b.finish([b.matmul(b.input(1, 64, -64, 63), b.operand(weights))])
    spec, x = put_file(matrices, encode_program(built.program)), put_file(matrices, bytes(64))
    job = make_task(TaskKind.PROGRAM, spec, x)
    assert Holdings(matrices).look(job) is Holding.NOTHING, "its weights are missing"
    [name] = built.matrices
    matrices[MatrixId(name)] = weights
    assert Holdings(matrices).look(job) is Holding.ALL
    del matrices[x]
    assert Holdings(matrices).look(job) is Holding.BULK


@pytest.mark.parametrize("kind", TaskKind)
def test_a_specification_that_is_none_names_nothing(kind: TaskKind) -> None:
    matrices = FakeMatrices()
    assert Holdings(matrices).look(make_task(kind, put_file(matrices, b"nothing"))) is Holding.ALL


@pytest.mark.parametrize("holding", [Holding.BULK, Holding.ALL])
def test_a_job_that_is_here_goes_first_unless_another_pays_more(holding: Holding) -> None:
    def rank(reward: int) -> Any:
        here, there = make_offer(1), make_offer(2, reward=reward)
        return rank_offers(SETTINGS, [replace(here, holding=holding), there], ME)[0].id

    assert rank(1_000_000_000) == rank(1_099_999_999) == make_offer(1).id
    assert rank(1_100_000_001) == make_offer(2).id


async def test_a_task_that_only_a_pending_posting_names_is_looked_at_if_its_data_is_here(node: FakeNode) -> None:
    spec = b"a program"
    payload = PostTask(TaskKind.PROGRAM, work.compute_file_id(spec), (), 0, 1, 10, 10, 20, 100, 100)
    tx = sign_transaction(bytes([9]) * 32, node.params.chain_id, 0, 1, payload)
    manager = JobManager(node, SETTINGS, TransactionQueue(node, KEY), MinerStats())
    manager.on_template([tx])
    assert not manager._early
    put_file(node.matrices, spec)
    manager.on_template([tx])
    assert [offer.id for offer in manager._early] == [JobId(compute_tx_id(tx))]


def test_many_tasks_of_other_programs_cannot_hold_the_miner_up() -> None:
    """Each task costs its poster little; a look reads a few specifications, and none is read twice."""
    matrices, reads = FakeMatrices(), 0
    keep = matrices.get_bytes

    def count(matrix: MatrixId) -> bytes | None:
        nonlocal reads
        reads += 1
        return keep(matrix)

    matrices.get_bytes = count  # type: ignore[method-assign]
    jobs = [make_task(TaskKind.PROGRAM, put_file(matrices, b"%d" % n)) for n in range(20)]
    holdings = Holdings(matrices)
    for expected in (8, 16, 20, 20):
        holdings.named.begin_look()
        held = [holdings.look(job) is Holding.ALL for job in jobs]
        assert (reads, sum(held)) == (expected, expected)
