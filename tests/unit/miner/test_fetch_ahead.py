"""What a busy miner fetches ahead: the parts of the next jobs, and the weights and modules that are in demand."""

from typing import Any

from msgspec.structs import replace

from inos.consensus.records import JobState
from inos.core.matrices.named import Named
from inos.miner.fetch_ahead import MIN_DEMAND, NEXT_JOBS, WINDOW_BLOCKS, FetchAhead, rank_by_demand
from inos.miner.holdings import Holdings
from inos.primitives.transactions import ClaimJob
from inos.primitives.units import Height, JobId, MatrixId
from support.miner_kernel import ME, OTHER, SETTINGS, Kernel, find, make_operands, mining
from support.miner_node import FakeNode
from support.tasks import ECHO, Mesh, make_network, post_function, post_program

HEIGHT = Height(7)


def make_ahead(node: FakeNode, **changes: Any) -> FetchAhead:
    return FetchAhead(node, replace(SETTINGS, **changes), ME, Holdings(node.matrices))


def fill(node: FakeNode, mesh: Mesh, *but: bytes) -> None:
    node.matrices.update({MatrixId(id): array for id, array in mesh.held.items() if id not in but})


def walk(ahead: FetchAhead, best: Any, recent: Any, height: Height = HEIGHT) -> list[Named]:
    """Return what is chosen, one after the other, if nothing of it can be had."""
    found = []
    while (part := ahead.choose(best, recent, height)) is not None:
        found.append(part)
        ahead.note(part, 0, height)
    return found


async def test_the_parts_of_the_next_jobs_come_first_and_each_is_tried_once_in_a_while(node: FakeNode) -> None:
    mesh = Mesh()
    task = post_program(mesh, make_network())
    weights = mesh.held.keys() - {task.spec, *task.inputs}
    job = node.jobs[node.post_task(task)]
    ahead = make_ahead(node)
    assert [part.id for part in walk(ahead, [job], [])] == [task.spec, *task.inputs]
    fill(node, mesh, *weights, *task.inputs)
    assert {part.id for part in walk(ahead, [job], [])} == weights, "the specification names them"
    later = Height(HEIGHT + WINDOW_BLOCKS)
    assert {part.id for part in walk(ahead, [job], [], later)} == weights | set(task.inputs)
    fill(node, mesh)
    assert walk(ahead, [job], [], Height(later + WINDOW_BLOCKS)) == []


async def test_only_so_many_jobs_and_bytes_are_fetched_ahead(node: FakeNode) -> None:
    jobs = [node.jobs[node.post(*make_operands(seed))] for seed in range(NEXT_JOBS + 2)]
    node.matrices.clear()
    assert len(walk(make_ahead(node), jobs, [])) == 2 * NEXT_JOBS
    x, w = make_operands(0)
    assert walk(make_ahead(node, fetch_ahead_bytes=x.nbytes + w.nbytes - 1), jobs[:1], []) == []
    ahead = make_ahead(node, fetch_ahead_bytes=x.nbytes + w.nbytes)
    first = ahead.choose(jobs, [], HEIGHT)
    assert first is not None
    ahead.note(first, x.nbytes, HEIGHT)
    assert [part.most for part in walk(ahead, jobs, [])] == [w.nbytes], "then the bytes of these blocks are used up"


async def test_what_recent_jobs_name_is_fetched_if_it_fits_without_evicting(node: FakeNode) -> None:
    mesh = Mesh()
    calls = [post_function(mesh, ECHO, bytes([number])) for number in range(3)]
    other = post_program(mesh, make_network())
    recent = [node.jobs[node.post_task(task)] for task in (*calls[:MIN_DEMAND], other)]
    (spec,) = {task.spec for task in calls}
    assert rank_by_demand(recent) == [calls[MIN_DEMAND - 1]], "the other one is named once"
    assert [part.id for part in walk(make_ahead(node), [], recent)] == [spec]
    fill(node, mesh)
    module = next(id for id, array in mesh.held.items() if array.tobytes() == ECHO)
    del node.matrices[MatrixId(module)]
    assert [part.id for part in walk(make_ahead(node), [], recent)] == [module]
    node.matrices.free_room = len(ECHO)
    assert walk(make_ahead(node), [], recent) == [], "a module may have 16 MiB"


async def test_a_miner_without_free_claims_fetches_what_it_would_take_next(node: FakeNode) -> None:
    held, wanted = node.post(*make_operands(1)), make_operands(2)
    async with mining(node, Kernel(), replace(SETTINGS, max_claims=1)):
        await node.until(find(node, ClaimJob, held))
        job = node.post(*wanted)
        refs = [node.jobs[job].work.x.matrix_id, node.jobs[job].work.w.matrix_id]
        for id in refs:
            del node.matrices[id]
        node.jobs[JobId(bytes([77]) * 32)] = replace(node.jobs[job], state=JobState.CLAIMED, worker=OTHER)
        await node.until(lambda: set(refs) <= set(node.matrices.fetches))
        assert not find(node, ClaimJob, job)()


async def test_nothing_is_fetched_ahead_if_the_settings_say_so(node: FakeNode) -> None:
    held = node.post(*make_operands(1))
    async with mining(node, Kernel(), replace(SETTINGS, max_claims=1, fetch_ahead_bytes=0)):
        await node.until(find(node, ClaimJob, held))
        fetched = len(node.matrices.fetches)
        job = node.post(*make_operands(2))
        node.matrices.pop(node.jobs[job].work.x.matrix_id)
        made = node.made
        await node.until(lambda: node.made > made + 4)
        assert len(node.matrices.fetches) == fetched
