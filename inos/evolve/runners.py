"""Who computes: this machine, or a miner who is paid for a task. Both return the same bytes."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from inos.client.blocking_client import BlockingClient
from inos.client.errors import JobFailed
from inos.client.job_watcher import ignore_state
from inos.client.task_terms import DEFAULT_TERMS, TaskTerms
from inos.evolve.errors import InvalidRun, Unchecked
from inos.evolve.runs import OpenRun
from inos.functions import Delivered, FunctionSpec, HostFailed, ModuleCache, Role, run
from inos.programs import Prepared, bind_inputs, encode_value, prepare_program
from inos.programs.types import Array

CACHE_DIR: Final = Path("~/.inos/functions")
TASK_TIMEOUT_S: Final = 3600.0


class Answer(NamedTuple):
    """The outputs of a computation, and the id of the task on chain if there was one."""

    outputs: tuple[bytes, ...]
    task: bytes | None


class Runner(Protocol):
    """Computes the one task of a generation."""

    def run_program(self, opened: OpenRun, given: Sequence[Array]) -> Answer:
        """Return the encoded results of the run's program."""

    def call_function(self, spec: FunctionSpec, opened: OpenRun, stdin: bytes) -> Answer:
        """Return what the run's function writes."""


class LocalRunner:
    """Computes on this machine.

    Args:
        role: a checker gives a function twice the steps, as a juror does.
        cache_dir: where compiled modules are kept.
    """

    def __init__(self, role: Role = Role.WORKER, cache_dir: Path = CACHE_DIR) -> None:
        self._role, self._cache_dir = role, cache_dir
        self._prepare = lru_cache(maxsize=4)(_prepare)

    def run_program(self, opened: OpenRun, given: Sequence[Array]) -> Answer:
        results = self._prepare(opened).run(bind_inputs(opened.checked, given, opened.load))
        types = opened.checked.results
        return Answer(tuple(encode_value(*each) for each in zip(results, types, strict=True)), None)

    def call_function(self, spec: FunctionSpec, opened: OpenRun, stdin: bytes) -> Answer:
        cache = ModuleCache(self._cache_dir.expanduser())
        try:
            outcome = run(spec, opened.module, stdin, role=self._role, seed=bytes(32), cache=cache)
        except HostFailed as error:
            raise Unchecked(error.code, error.message, hint=error.hint) from error
        if not isinstance(outcome, Delivered):
            raise InvalidRun("no-outcome", f"the function ends without an outcome: {outcome.detail}")
        return Answer((outcome.stdout,), None)


class MarketRunner:
    """Lets miners compute, checks some of what they return, and disputes what is wrong.

    Args:
        check_every: of so many tasks one is computed on this machine too; 0 for none.
        pending: keeps the id of a task that is posted, so that it is not paid twice after a kill.
    """

    def __init__(
        self,
        client: BlockingClient,
        pending: "Pending",
        *,
        terms: TaskTerms = DEFAULT_TERMS,
        check_every: int = 10,
        on_state: Callable[[str], None] = ignore_state,
    ) -> None:
        self._client, self._pending, self._terms, self._on_state = client, pending, terms, on_state
        self._check_every, self._count = check_every, 0
        self._checker = LocalRunner(Role.CHECKER)

    def run_program(self, opened: OpenRun, given: Sequence[Array]) -> Answer:
        types = opened.checked.results
        name = b"".join(encode_value(*each) for each in zip(given, opened.checked.given, strict=True))

        def post() -> tuple[bytes, ...]:
            results = self._client.run(
                opened.checked.program,
                given,
                terms=self._terms,
                timeout_s=TASK_TIMEOUT_S,
                on_posted=lambda job: self._pending.save(name, job),
                on_state=self._on_state,
            )
            return tuple(encode_value(*each) for each in zip(results, types, strict=True))

        return self._ask(name, post, lambda: self._checker.run_program(opened, given).outputs)

    def call_function(self, spec: FunctionSpec, opened: OpenRun, stdin: bytes) -> Answer:
        name = stdin + b"".join(spec.args)

        def post() -> tuple[bytes, ...]:
            answer = self._client.call_function(
                opened.module,
                stdin,
                args=[each.decode() for each in spec.args],
                pages=spec.pages,
                steps=spec.steps,
                output_bytes=spec.output_bytes,
                seed=spec.seed,
                terms=self._terms,
                timeout_s=TASK_TIMEOUT_S,
                on_posted=lambda job: self._pending.save(name, job),
                on_state=self._on_state,
            )
            return (answer,)

        return self._ask(name, post, lambda: self._checker.call_function(spec, opened, stdin).outputs)

    def _ask(
        self, name: bytes, post: Callable[[], tuple[bytes, ...]], compute: Callable[[], tuple[bytes, ...]]
    ) -> Answer:
        """Return the outputs of a task, posted now or before a kill; a wrong one is disputed and posted again."""
        posted = self._pending.find(name)
        outputs = (None if posted is None else self._wait(posted)) or post()
        job = self._pending.find(name)
        self._count += 1
        if self._check_every and self._count % self._check_every == 0:
            right = compute()
            if right != outputs:
                self._client.dispute(job or "")
                self._on_state("wrong, and disputed: computed on this machine instead")
                self._pending.clear()
                return Answer(right, None)
        return Answer(outputs, bytes.fromhex(job) if job else None)

    def _wait(self, job: str) -> tuple[bytes, ...] | None:
        """Return the outputs of a task that was posted before this process began; None if it failed."""
        self._on_state(f"waiting for task {job[:16]}, posted before")
        try:
            return tuple(self._client.wait_outputs(job, TASK_TIMEOUT_S, self._on_state))
        except JobFailed:
            self._pending.clear()
            return None


class Pending(Protocol):
    """Remembers the task that is waited for."""

    def save(self, name: bytes, job: str) -> None:
        """Remember a task by what it was given."""

    def find(self, name: bytes) -> str | None:
        """Return the id of the task that was posted with these inputs, if it is the one that is remembered."""

    def clear(self) -> None:
        """Forget the task."""


def _prepare(opened: OpenRun) -> Prepared:
    return prepare_program(opened.checked)
