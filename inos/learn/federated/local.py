"""Runs a federation of Flower in this process, one client after the other: for examples, tests and trying out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

CLIENT_FAILED: Final = 1
LOCAL: Final = 0
"""The number of run, server and task, which Flower puts into every message."""


class LocalGrid(Grid):
    """Calls a `ClientApp` where Flower's own grids send messages; each client has a context that it keeps.

    Args:
        app: what all clients run, or one app for each.
        nodes: how many clients there are, or the `node_config` of each; by default it has "partition-id" and
            "num-partitions", as in Flower's simulations.
    """

    def __init__(self, app: ClientApp | Sequence[ClientApp], nodes: int | Sequence[Mapping[str, Any]]) -> None:
        if isinstance(nodes, int):
            nodes = [{"partition-id": number, "num-partitions": nodes} for number in range(nodes)]
        self._apps = [app] * len(nodes) if isinstance(app, ClientApp) else list(app)
        self._contexts = {
            number: Context(LOCAL, number, dict(config), RecordDict(), {}) for number, config in enumerate(nodes, 1)
        }
        _identify()
        self._answers: dict[str, Message] = {}
        self._run = Run.create_empty(LOCAL)

    def set_run(self, run: Run) -> None:
        self._run = run

    @property
    def run(self) -> Run:
        return self._run

    def create_message(
        self, content: RecordDict, message_type: str, dst_node_id: int, group_id: str, ttl: float | None = None
    ) -> Message:
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> list[int]:
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> list[str]:
        names = []
        for message in messages:
            names.append(f"{len(self._answers)}")
            self._answers[names[-1]] = self._call(message)
        return names

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        return [self._answers.pop(name) for name in message_ids]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        return [self._call(message) for message in messages]

    def _call(self, message: Message) -> Message:
        node = message.metadata.dst_node_id
        try:
            return self._apps[node - 1](message, self._contexts[node])
        except Exception as error:  # noqa: BLE001 - as in Flower, what a client raises is its answer
            return Message(Error(CLIENT_FAILED, f"{type(error).__name__}: {error}"), reply_to=message)


def _identify() -> None:
    """Give this process the identity that Flower's own processes have; keep one that is there."""
    try:
        _ = TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id
    except RuntimeError:
        TaskIdentity.run_id = TaskIdentity.node_id = TaskIdentity.task_id = LOCAL
