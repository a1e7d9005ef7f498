"""Tasks of a run: wrong outcomes are disputed, failed tasks posted again, and training goes back if a jury rejects one.

The node is a fake: the list of states and outcomes that each posted task goes through.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from inos.client.errors import JobFailed, RemoteError
from inos.learn.errors import LearnError
from inos.learn.folder import TASKS
from inos.learn.journal import Journal
from inos.learn.market import MarketRunner
from inos.learn.run import Run
from inos.learn.training import train_run
from inos.learn.verify import verify_run
from inos.programs import check_program, decode_program, encode_value, run_program
from inos.work.files import compute_file_ref
from support.training_runs import make_run

STEPS, SHARDS = 4, 2
Script = Callable[["Node", "Task"], None]
"""Says what becomes of a task each time it is looked at."""


class Task(SimpleNamespace):
    """A posted task as the fake node knows it."""

    id: str
    state: str
    outputs: Any
    worker: str
    looks: int


class Node:
    """A client of a chain on which a block comes whenever a caller waits."""

    def __init__(self, script: Script) -> None:
        self.files: dict[str, bytes] = {}
        self.tasks: dict[str, Task] = {}
        self.disputes: list[str] = []
        self.height = 0
        self.script = script
        self._numbers = count()

    def put_bytes(self, data: bytes) -> Any:
        ref = compute_file_ref(data)
        self.files[ref.matrix_id.hex()] = data
        return ref

    def post_task(self, kind: Any, spec: bytes, inputs: list[bytes], **words: Any) -> str:
        name = f"{next(self._numbers):064x}"
        self.tasks[name] = Task(
            id=name,
            state="open",
            outputs=None,
            worker="",
            looks=0,
            claim=None,
            deadline=10**9,
            spec=spec,
            inputs=inputs,
        )  # fmt: skip
        return name

    def compute(self, task: Task) -> list[bytes]:
        checked = check_program(decode_program(self.files[task.spec.hex()]))
        given = [self.files[each.hex()] for each in task.inputs]
        results = run_program(checked, given, lambda stored: self.files[stored.id.hex()])
        return [encode_value(each, type_) for each, type_ in zip(results, checked.results, strict=True)]

    def deliver(self, task: Task, outputs: list[bytes], worker: str = "honest") -> None:
        task.outputs = tuple([self.put_bytes(each).matrix_id.hex() for each in outputs])
        task.state, task.worker = "delivered", worker
        task.claim = SimpleNamespace(expires_at=self.height + 20)

    def job(self, name: str) -> Task:
        if name not in self.tasks:
            raise RemoteError(1, "job-unknown", name)
        task = self.tasks[name]
        task.looks += 1
        self.script(self, task)
        return Task(**vars(task))

    def transaction(self, name: str) -> None:
        raise RemoteError(1, "transaction-unknown", name)

    def outputs(self, name: str) -> list[bytes]:
        found = self.tasks[name].outputs
        if any(each not in self.files for each in found):
            raise RemoteError(1, "matrix-unknown", "nobody serves it")
        return [self.files[each] for each in found]

    def dispute(self, name: str) -> str:
        assert self.tasks[name].state == "delivered"
        self.disputes.append(name)
        self.tasks[name].state = "disputed"
        return "tx"

    def get_network(self) -> Any:
        return SimpleNamespace(params=SimpleNamespace(challenge_window=20))

    def head(self) -> Any:
        return SimpleNamespace(height=self.height)

    def cancel_job(self, name: str) -> None:
        self.tasks[name].state = "cancelled"

    @contextmanager
    def follow_tip(self) -> Iterator[Callable[[float], None]]:
        def wait(limit_s: float) -> None:
            self.height += 1

        yield wait


def be_honest(node: Node, task: Task) -> None:
    if task.state == "open":
        node.deliver(task, node.compute(task))
    elif task.state == "delivered" and task.looks > 5:
        task.state = "settled"


def spoil(outputs: list[bytes]) -> list[bytes]:
    return [bytes([outputs[0][0] ^ 1]) + outputs[0][1:], *outputs[1:]]


def make_runner(node: Node, run: Run, **options: Any) -> MarketRunner:
    return MarketRunner(node, Journal(run.folder.path / TASKS), random=Random(1), **options)  # type: ignore[arg-type]


@pytest.fixture
def here(tmp_path: Path) -> str:
    return train_run(make_run(tmp_path / "here", STEPS, SHARDS)).head


def test_honest_miners_give_the_bits_of_this_machine(tmp_path: Path, here: str) -> None:
    node, run = Node(be_honest), make_run(tmp_path / "run", STEPS, SHARDS)
    assert train_run(run, make_runner(node, run)).head == here
    assert len(node.tasks) == STEPS * (SHARDS + 1)
    assert {task.state for task in node.tasks.values()} == {"settled"}, "the run ends when all is paid"
    assert not node.disputes


@pytest.mark.parametrize("lie", ["wrong bytes", "wrong length", "one output", "not served"])
def test_a_lie_is_disputed_and_the_next_miner_is_believed(tmp_path: Path, here: str, lie: str) -> None:
    def lie_once(node: Node, task: Task) -> None:
        if int(task.id, 16) == 4 and task.state == "open" and task.looks < 3:
            right = node.compute(task)
            wrong = {"wrong length": [right[0][:-1], right[1]], "one output": right[:1]}.get(lie, spoil(right))
            node.deliver(task, wrong, "liar")
            if lie == "not served":
                del node.files[task.outputs[0]]
        elif task.state == "disputed":
            task.state, task.outputs, task.worker = "open", None, ""  # the jury rejects it
        elif task.worker != "liar":
            be_honest(node, task)

    node, run = Node(lie_once), make_run(tmp_path / "run", STEPS, SHARDS)
    runner = make_runner(node, run)
    assert train_run(run, runner).head == here
    assert (node.disputes, runner.disputed) == ([f"{4:064x}"], 1)
    assert len(node.tasks) == STEPS * (SHARDS + 1)


def test_a_lie_that_a_jury_finds_right_is_asked_for_again(tmp_path: Path, here: str) -> None:
    def bribe(node: Node, task: Task) -> None:
        if int(task.id, 16) == 1 and task.state == "open":
            node.deliver(task, spoil(node.compute(task)), "liar")
        elif task.state == "disputed":
            task.state = "settled"
        else:
            be_honest(node, task)

    node, run = Node(bribe), make_run(tmp_path / "run", STEPS, SHARDS)
    assert train_run(run, make_runner(node, run)).head == here
    assert len(node.tasks) == STEPS * (SHARDS + 1) + 1


def test_a_task_that_fails_three_times_ends_training_and_what_is_done_stays(tmp_path: Path, here: str) -> None:
    def fail_late(node: Node, task: Task) -> None:
        if int(task.id, 16) >= 6:
            task.state = "undecided"
        else:
            be_honest(node, task)

    node, run = Node(fail_late), make_run(tmp_path / "run", STEPS, SHARDS)
    with pytest.raises(LearnError) as caught:
        train_run(run, make_runner(node, run))
    assert caught.value.code == "task-failed"
    assert len(run.records) == 2
    node.script = be_honest
    again = Run(run.folder.path)
    assert train_run(again, make_runner(node, again)).head == here


def test_a_killed_run_asks_for_nothing_twice(tmp_path: Path, here: str) -> None:
    def deliver_nothing_after_four(node: Node, task: Task) -> None:
        if int(task.id, 16) < 4:
            be_honest(node, task)

    node, run = Node(deliver_nothing_after_four), make_run(tmp_path / "run", STEPS, SHARDS)
    with pytest.raises(JobFailed) as caught:
        train_run(run, make_runner(node, run, timeout_s=0.2))
    assert caught.value.code == "job-timeout"
    node.script = be_honest
    again = Run(run.folder.path)
    assert train_run(again, make_runner(node, again)).head == here
    assert len(node.tasks) == STEPS * (SHARDS + 1)


def test_training_goes_back_to_a_step_whose_outcome_a_jury_rejects(tmp_path: Path, here: str) -> None:
    """Nothing is checked here, so a lie is used until a stranger disputes it two steps later."""

    def lie_until_a_stranger_disputes(node: Node, task: Task) -> None:
        if int(task.id, 16) != 3:
            be_honest(node, task)
        elif task.state == "open":
            node.deliver(task, spoil(node.compute(task)) if not task.worker else node.compute(task), "liar")
        elif task.looks == 4:
            task.state, task.outputs = "open", None
        elif task.looks > 8:
            task.state = "settled"

    node, run = Node(lie_until_a_stranger_disputes), make_run(tmp_path / "run", STEPS, SHARDS)
    steps: list[int] = []
    train_run(run, make_runner(node, run, check=0.0), on_step=lambda spec, record, seconds: steps.append(record.step))
    assert run.head == here
    assert steps.count(2) == 2, "step 2 was computed again"
    assert verify_run(Run(run.folder.path)).last == STEPS


def test_an_unchecked_lie_that_nobody_disputes_is_found_by_verification(tmp_path: Path) -> None:
    def lie(node: Node, task: Task) -> None:
        if int(task.id, 16) == 3 and task.state == "open":
            node.deliver(task, spoil(node.compute(task)), "liar")
        else:
            be_honest(node, task)

    node, run = Node(lie), make_run(tmp_path / "run", STEPS, SHARDS)
    train_run(run, make_runner(node, run, check=0.0))
    with pytest.raises(LearnError, match=r"step 2 is wrong: shard [01]"):
        verify_run(Run(run.folder.path))


def test_a_call_that_fails_stops_the_wait_for_the_others(tmp_path: Path) -> None:
    def fail_one(node: Node, task: Task) -> None:
        if int(task.id, 16) != 0:
            task.state = "undecided"

    node, run = Node(fail_one), make_run(tmp_path / "run", STEPS, SHARDS)
    with pytest.raises(LearnError) as caught:
        train_run(run, make_runner(node, run, timeout_s=3600))
    assert caught.value.code == "task-failed"


def test_the_share_of_checks_is_a_share(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for wrong in (-0.1, 1.1):
        with pytest.raises(LearnError) as caught:
            make_runner(Node(be_honest), run, check=wrong)
        assert caught.value.code == "bad-check"
