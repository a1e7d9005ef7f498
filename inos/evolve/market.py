"""What the chain says of evolution: the task of a record, and the records that tasks of other accounts lead to."""

from collections.abc import Iterator
from typing import Final

from inos.client import models
from inos.client.blocking_client import BlockingClient
from inos.client.errors import ClientError, RemoteError
from inos.evolve.errors import InvalidRecord, Missing, Unchecked
from inos.evolve.exchange import Sighting
from inos.evolve.files import Files
from inos.evolve.generations import Outcome
from inos.evolve.island import Island
from inos.evolve.records import Record
from inos.evolve.signature import GIVEN, SEED_BYTES
from inos.functions import InvalidFunction, decode_spec
from inos.wallet.addresses import decode_address

MAX_TASKS: Final = 200
"""Tasks that one look at the chain reads, the newest ones."""
MAX_READS_PER_POSTER: Final = 8
"""Tasks of one account whose files a look reads."""
MAX_SPEC_BYTES: Final = 4096
DELIVERED: Final = frozenset({"delivered", "settled"})


class ChainTasks:
    """Compares records with their tasks on chain."""

    def __init__(self, client: BlockingClient) -> None:
        self._client = client

    def check_task(self, record: Record, outcome: Outcome) -> None:
        """Check that the record's owner posted its task with these inputs, and that these outputs were delivered.

        Raises:
            InvalidRecord: "bad-task". Unchecked: the task is not known, or not delivered yet.
        """
        job, named = self._get((record.task or b"").hex()), outcome.named
        if job.task is None:
            raise InvalidRecord("bad-task", f"job {job.id} is no task")
        if decode_address(self._client.get_network().hrp, job.poster) != record.owner:
            raise InvalidRecord("bad-task", f"task {job.id} was posted by {job.poster}, and not by the record's owner")
        if (job.task.spec, job.task.inputs) != (named.spec.hex(), _to_hex(named.inputs)):
            raise InvalidRecord("bad-task", f"task {job.id} computes something else than this generation")
        if job.outputs is None or job.state not in DELIVERED:
            raise Unchecked("task-open", f"task {job.id} is {job.state}, and nobody answers for an outcome yet")
        if job.outputs != _to_hex(named.outputs):
            raise InvalidRecord("bad-task", f"task {job.id} was delivered with another outcome")

    def _get(self, task: str) -> models.Job:
        try:
            return self._client.job(task)
        except RemoteError as error:
            if error.code == "job-unknown":
                raise Unchecked("task-unknown", f"the node knows no task {task}") from error
            raise


class ChainNeighbours:
    """Islands whose owners pay for tasks of the same run. A task names the record that its generation begins with."""

    def __init__(self, client: BlockingClient, files: Files) -> None:
        self._client, self._files = client, files

    def find(self, island: Island) -> Iterator[Sighting]:
        hrp, own = self._client.get_network().hrp, island.state.owner
        reads: dict[str, int] = {}
        for job in self._client.jobs(order="newest", limit=MAX_TASKS).jobs:
            if job.task is None or decode_address(hrp, job.poster) == own or not self._may_belong(island, job.task):
                continue
            reads[job.poster] = reads.get(job.poster, 0) + 1
            if reads[job.poster] > MAX_READS_PER_POSTER:
                continue
            try:
                parent = self._read_parent(island, job.task)
            except (Missing, InvalidRecord, InvalidFunction, ClientError):
                continue  # whatever it is, it leads to no record that can be read now
            if parent is not None and any(parent):
                yield Sighting(parent, bytes(decode_address(hrp, job.poster)))

    @staticmethod
    def _may_belong(island: Island, task: models.Task) -> bool:
        """Return False if a task is known not to be one of the run, without reading any file."""
        if island.opened.run.trial is not None:
            return task.kind == "function"
        return task.spec == island.opened.run.program.hex() and len(task.inputs) == GIVEN

    def _read_parent(self, island: Island, task: models.Task) -> bytes | None:
        """Return the id of the record that a task begins with, or None if it is no task of this run."""
        trial = island.opened.run.trial
        if trial is None:
            parent = self._files.get(bytes.fromhex(task.inputs[-1]), SEED_BYTES, "the parent that a task names")
            return parent if len(parent) == SEED_BYTES else None
        spec = decode_spec(self._files.get(bytes.fromhex(task.spec), MAX_SPEC_BYTES, "the spec of a task"))
        if spec.module != trial.module or spec.args[:-1] != trial.args:
            return None
        try:
            parent = bytes.fromhex(b"".join(spec.args[-1:]).decode("ascii"))
        except ValueError:
            return None
        return parent if len(parent) == SEED_BYTES else None


def _to_hex(ids: tuple[bytes, ...]) -> tuple[str, ...]:
    return tuple(each.hex() for each in ids)
