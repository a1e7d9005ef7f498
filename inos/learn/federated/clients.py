"""The client's side: a mod of Flower's `ClientApp` that turns what training returns into a signed update."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, RecordDict
from numpy.typing import NDArray

from inos.client.blocking_client import BlockingClient
from inos.learn.errors import LearnError
from inos.learn.federated.models import Model
from inos.learn.federated.updates import Floats, Terms, make_update, sign_update
from inos.wallet.keys import Key

RUN: Final = "inos-run"
ROUND: Final = "inos-round"
BASE: Final = "inos-base"
BITS: Final = "inos-bits"
KEEP: Final = "inos-keep"
UPDATE: Final = "inos-update"
REST: Final = "inos-rest"


class SignedUpdates:
    """Sends what training changed, in small integers and signed by the client's account, in place of the weights.

        app = ClientApp(mods=[SignedUpdates(key)])

    It comes first among the mods, so that others, such as Flower's `fixedclipping_mod` or `LocalDpMod`, change the
    weights before they are signed. What rounding loses is kept in the context's state, and added to the next update.

    Args:
        key: the account's, or a function that returns it for a context, where one process stands for many clients.
        mesh: a node that takes the update, so that only its id goes through Flower. Without one the update goes through
            Flower itself, where nobody but the server reads it.
    """

    def __init__(self, key: Key | Callable[[Context], Key], mesh: BlockingClient | None = None) -> None:
        self._get_key = key if callable(key) else lambda context: key
        self._mesh = mesh

    def __call__(self, message: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
        if message.metadata.message_type.partition(".")[0] != MessageType.TRAIN:
            return call_next(message, context)
        terms = _read_terms(message.content)
        before = _read_model(message.content, "the server's message")
        if before.id != terms.base:
            raise LearnError("wrong-base", f"the server's model is {before.id.hex()}, and it says {terms.base.hex()}")
        reply = call_next(message, context)
        if reply.has_error():
            return reply
        after = _read_model(reply.content, "the client's answer")
        different = before.compare(after)
        if different:
            raise LearnError("wrong-layers", f"training returned {different}", hint="return the layers that came")
        record = self._make_record(terms, before, after, context)
        metrics = {name: each for name, each in reply.content.items() if not isinstance(each, ArrayRecord)}
        return Message(RecordDict({**metrics, UPDATE: record}), reply_to=message)

    def _make_record(self, terms: Terms, before: Model, after: Model, context: Context) -> ConfigRecord:
        key, rests = self._get_key(context), _read_rests(context, terms, before)
        layers = zip(before.list_trained(), after.list_trained(), rests, strict=True)
        data, rests = make_update(terms, key.address, before.trained, [new - old + rest for old, new, rest in layers])
        context.state[REST] = ArrayRecord([np.concatenate(rests), np.frombuffer(terms.run, np.uint8)])
        sent: dict[str, Any] = {"sender": bytes(key.address), "proof": sign_update(key, terms, data)}
        sent |= {"data": data} if self._mesh is None else {"id": self._mesh.put_bytes(data).id.hex()}
        return ConfigRecord(sent)


def write_terms(terms: Terms) -> dict[str, Any]:
    """Return a round's terms as entries of a message's config."""
    return {RUN: terms.run, ROUND: terms.round, BASE: terms.base, BITS: terms.bits, KEEP: terms.keep}


def _read_terms(content: RecordDict) -> Terms:
    for config in content.config_records.values():
        if RUN in config:
            values: Any = [config[name] for name in (RUN, ROUND, BASE, BITS, KEEP)]
            return Terms(*values)
    raise LearnError(
        "no-terms", "the server's message has no terms of an INOS federation",
        hint="use inos.learn.federated.FedPaid as the server's strategy, or leave SignedUpdates out",
    )  # fmt: skip


def _read_model(content: RecordDict, name: str) -> Model:
    found = list(content.array_records.values())
    if len(found) != 1:
        raise LearnError("bad-model", f"{name} has {len(found)} records of arrays instead of one")
    return Model(to_layers(found[0]))


def to_layers(record: ArrayRecord) -> dict[str, NDArray[Any]]:
    """Return the arrays of a record by name."""
    return {name: each.numpy() for name, each in record.items()}


def _read_rests(context: Context, terms: Terms, model: Model) -> list[Floats]:
    """Return what the last update of this run lost, for each trained layer."""
    record = context.state.get(REST)
    cuts = np.cumsum(model.sizes)[:-1]
    if isinstance(record, ArrayRecord):
        rest, run = record.to_numpy_ndarrays()
        if run.tobytes() == terms.run and rest.size == sum(model.sizes):
            return list(np.split(rest, cuts))
    return list(np.split(np.zeros(sum(model.sizes)), cuts))
