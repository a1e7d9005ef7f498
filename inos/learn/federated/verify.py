"""The rounds of a federation are computed again from their updates: signatures, aggregation, every model."""

import os

from msgspec import Struct

from inos.learn.errors import LearnError
from inos.learn.federated.rounds import load_federation, make_step


class VerifiedFederation(Struct, frozen=True):
    """Says what was found right.

    Attributes:
        rounds: how many.
        updates: how many signed updates they have together.
        head: the id of the last record.
    """

    rounds: int
    updates: int
    head: str


def verify_federation(path: str | os.PathLike[str], *, head: str | None = None) -> VerifiedFederation:
    """Compute all rounds again from the accepted updates in a folder.

    Nothing shows whether an update comes of training, or whether an update that was refused deserved it.

    Args:
        head: the id that the last record must have.

    Raises:
        LearnError: "round-wrong" names the first wrong round; "head-differs"; others as `Federation`.
    """
    federation = load_federation(path)
    members = set(federation.spec.members)
    if head is not None and federation.head != head:
        raise LearnError("head-differs", f"the last record is {federation.head}, not {head}",
                         hint="ask the federation's server for the right id")  # fmt: skip
    model, updates = federation.read_model(0), 0
    for record in federation.records:
        senders = [each.sender for each in record.accepted]
        if len(set(senders)) < len(senders) or not members.issuperset(senders):
            raise LearnError("round-wrong", f"round {record.round} accepts one account twice, or one that is no member")
        rows = federation.read_rows(record, model.sizes)
        step = make_step(federation.spec, rows)
        model = model if step is None else model.change(step)
        if model.id.hex() != record.model:
            raise LearnError(
                "round-wrong",
                f"round {record.round} ends with the model {record.model}; its updates make {model.id.hex()}",
            )
        updates += len(rows)
    return VerifiedFederation(len(federation.records), updates, federation.head)
