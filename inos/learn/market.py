"""The market runner posts calls as tasks, checks what miners return, disputes what is wrong, and waits for better.

A delivered outcome is used at once. Until it is paid a jury may still reject it, at anybody's request; so every task
that is not paid yet is looked at after each step, and training goes back to the step whose outcome was rejected.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from random import Random, SystemRandom
from typing import Final

from inos.client import models
from inos.client.blocking_client import BlockingClient
from inos.client.errors import JobFailed, RemoteError
from inos.client.task_terms import DEFAULT_TERMS, TaskTerms
from inos.learn.errors import LearnError
from inos.learn.journal import Journal, TaskLine
from inos.learn.machines import Call, Machine
from inos.primitives.transactions import TaskKind
from inos.primitives.units import MatrixId
from inos.programs import InvalidInput, decode_value
from inos.work.files import compute_file_id

ATTEMPTS: Final = 3
"""A call is posted again if its task failed, this often in all."""
LOST_S: Final = 5.0
LOOK_S: Final = 1.0
TIMEOUT_S: Final = 900.0
HAS_OUTCOME: Final = ("delivered", "disputed", "settled")


class MarketRunner:
    """Runs calls by miners that a node knows.

    Args:
        client: has a wallet, which pays.
        journal: keeps which task computes what, so that a run that is killed asks for nothing twice.
        check: the share of outcomes that are computed again here, each drawn at random; 1 checks all.
        timeout_s: the longest wait for one outcome, with its disputes.
        random: draws what is checked; no miner may foresee it.
    """

    def __init__(
        self, client: BlockingClient, journal: Journal, *, check: float = 1.0, terms: TaskTerms = DEFAULT_TERMS,
        timeout_s: float = TIMEOUT_S, random: Random | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= check <= 1:
            raise LearnError("bad-check", f"{check} is no share of outcomes", hint="give a number from 0 to 1")
        self._client, self._journal, self._terms = client, journal, terms
        self._check, self._timeout_s = check, timeout_s
        self._random = SystemRandom() if random is None else random
        self._deployed: set[str] = set()
        self._stop = threading.Event()
        self.disputed = 0
        """Outcomes that were found wrong here, or that nobody served."""

    def run(self, calls: Sequence[Call]) -> list[list[bytes]]:
        """Run calls at the same time, each as a task. If one fails, or Ctrl-C is pressed, no other is waited for."""
        self._stop.clear()
        for call in calls:
            self._deploy(call.machine)
        with ThreadPoolExecutor(len(calls), "inos learn") as pool:
            futures = [pool.submit(self._compute, call) for call in calls]
            try:
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
                return [future.result() for future in futures]
            finally:
                self._stop.set()

    def find_rejected(self) -> int | None:
        """Return the first step of which an outcome that was used does not stand any more, or None."""
        found = [line.step for line in self._journal.list_open() if self._is_rejected(line)]
        return min(found, default=None)

    def settle(self) -> int | None:
        """Wait until all tasks are paid, or until an outcome that was used does not stand: return its step then."""
        with self._client.follow_tip() as wait_block:
            while self._journal.list_open():
                rejected = self.find_rejected()
                if rejected is not None:
                    return rejected
                wait_block(LOOK_S)
        return None

    def _deploy(self, machine: Machine) -> None:
        """Put a program and the files that it names into the mesh, once."""
        if machine.id not in self._deployed:
            for data in (*machine.files.values(), machine.encoded):
                self._client.put_bytes(data)
            self._deployed.add(machine.id)

    def _compute(self, call: Call) -> list[bytes]:
        inputs = [self._client.put_bytes(data).matrix_id for data in call.inputs]
        name = compute_file_id(b"".join([bytes.fromhex(call.machine.id), *inputs])).hex()
        for _ in range(ATTEMPTS):
            job = self._journal.find(name)
            if job is None:
                job = self._post(call, inputs)
                self._journal.add(TaskLine(name, call.step, job, ()))
            outputs = self._await(job, call)
            if outputs is not None:
                used = tuple([compute_file_id(data).hex() for data in outputs])
                self._journal.add(TaskLine(name, call.step, job, used))
                return outputs
            self._journal.forget(name)
        raise LearnError(
            "task-failed", f"{ATTEMPTS} tasks for part {call.part} of step {call.step} failed",
            hint="inos job list shows what became of them; offer a higher reward, and train again to go on",
        )  # fmt: skip

    def _post(self, call: Call, inputs: list[MatrixId]) -> str:
        cost = call.machine.checked.cost
        spec = MatrixId(bytes.fromhex(call.machine.id))
        return self._client.post_task(
            TaskKind.PROGRAM, spec, inputs, tickets=cost.tickets, units=cost.units, terms=self._terms
        )

    def _await(self, job: str, call: Call) -> list[bytes] | None:
        """Return a right outcome of a task, or None if the task failed. Wrong outcomes are disputed."""
        ends, seen_at = time.monotonic() + self._timeout_s, time.monotonic()
        refused: set[tuple[object, ...]] = set()
        with self._client.follow_tip() as wait_block:
            while time.monotonic() < ends and not self._stop.is_set():
                found = self._look(job)
                if found is not None:
                    seen_at = time.monotonic()
                    delivery = (found.outputs, found.worker, found.claim and found.claim.expires_at)
                    if found.state in HAS_OUTCOME and delivery not in refused:
                        outputs = self._fetch(found)
                        if outputs is not None and self._is_right(outputs, call):
                            return outputs
                        if outputs is not None or self._is_half_over(found):
                            refused.add(delivery)
                            self._dispute(found)
                    elif found.state in ("settled", "undecided", "cancelled") or self._is_late(found):
                        return None
                elif time.monotonic() - seen_at > LOST_S and not self._is_pending(job):
                    return None
                wait_block(LOOK_S)
        raise JobFailed(
            "job-timeout", job, f"task {job} of step {call.step} took more than {self._timeout_s:g} s",
            hint="train again to go on: the task is not posted twice; inos job watch follows it",
        )  # fmt: skip

    def _look(self, job: str) -> models.Job | None:
        try:
            return self._client.job(job)
        except RemoteError as error:
            if error.code != "job-unknown":
                raise
            return None

    def _is_pending(self, job: str) -> bool:
        """Return True if the posting transaction waits for a block."""
        try:
            self._client.transaction(job)
        except RemoteError as error:
            if error.code == "transaction-unknown":
                return False
            raise
        return True

    def _is_late(self, found: models.Job) -> bool:
        """Take back a task that nobody delivered in time; return True if it is one."""
        if found.state != "open" or self._client.head().height < found.deadline:
            return False
        self._client.cancel_job(found.id)
        return True

    def _fetch(self, found: models.Job) -> list[bytes] | None:
        """Return the outputs of a delivered task, or None if nobody serves them now."""
        try:
            return self._client.outputs(found.id)
        except RemoteError as error:
            if error.code != "matrix-unknown":
                raise
            return None

    def _is_right(self, outputs: list[bytes], call: Call) -> bool:
        """Return False if outputs do not have the program's types, or were drawn to be computed here and differ."""
        types = call.machine.checked.results
        if [len(data) for data in outputs] != [type_.nbytes for type_ in types]:
            return False
        try:
            for data, type_ in zip(outputs, types, strict=True):
                decode_value(data, type_)
        except InvalidInput:
            return False
        return self._random.random() >= self._check or outputs == call.machine.run(call.inputs)

    def _is_half_over(self, found: models.Job) -> bool:
        """Return True if half of the challenge window is over: then outputs that nobody serves are disputed."""
        if found.claim is None:
            return True
        window = self._client.get_network().params.challenge_window
        return self._client.head().height >= found.claim.expires_at - window // 2

    def _dispute(self, found: models.Job) -> None:
        """Ask a jury about a wrong outcome. One that is paid or disputed already stays as it is."""
        self.disputed += 1
        if found.state == "delivered":
            self._client.dispute(found.id)

    def _is_rejected(self, line: TaskLine) -> bool:
        """Return True if the outcome that was used does not stand; a task whose outcome is paid is closed."""
        found = self._look(line.job)
        if found is None and self._is_pending(line.job):
            return False  # a reorganisation took the task out of the chain for a moment
        if found is not None and (found.outputs != line.outputs or found.state not in HAS_OUTCOME):
            self._journal.add(TaskLine(line.call, line.step, line.job, ()))
            return True
        if found is None or found.state == "settled":
            self._journal.close(line.call)
        return False
