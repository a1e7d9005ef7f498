"""chain_find: what the first digits of an id name."""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from inos.rpc.method import Example, method
from inos.rpc.models.values import Hash, Model
from inos.rpc.ports import NodePort

MAX_FOUND: Final = 20


class FindParams(Model):
    prefix: Annotated[
        str,
        StringConstraints(pattern=r"^[0-9a-f]{4,64}$"),
        Field(description="The first digits of an id: 4 to 64 hex digits."),
    ]


class FoundIdModel(Model):
    """An id and what it names."""

    kind: Annotated[
        Literal["block", "transaction", "job", "matrix"],
        Field(description="A job has the id of the transaction that posted it, and is named as a job."),
    ]
    id: Annotated[Hash, Field(description="The whole id.")]


class FoundIdsModel(Model):
    """Everything that an id can name and begins with the prefix."""

    matches: Annotated[list[FoundIdModel], Field(description="The matches, at most 20.")]
    is_complete: Annotated[bool, Field(description="False if there may be more of them.")]


@method("chain_find", examples=(Example("the first digits of an id", {"prefix": "1f3a9c"}),))
async def chain_find(node: NodePort, params: FindParams) -> FoundIdsModel:
    """Return blocks, transactions, jobs and stored matrices whose ids begin with some digits."""
    digits, limit = params.prefix, MAX_FOUND + 1
    found: dict[tuple[str, str], None] = {
        (str(kind), one.hex()): None for kind, one in node.ledger.reader.find_ids(digits, limit)
    }
    known = {one for _, one in found}
    pending = (one.hex() for one in node.mempool.list_ids())
    stored = (entry.id.hex() for entry in node.matrices.store.retention.list_entries())
    found |= {("transaction", one): None for one in pending if one.startswith(digits) and one not in known}
    found |= {("matrix", one): None for one in stored if one.startswith(digits)}
    matches = [FoundIdModel.model_validate({"kind": kind, "id": one}) for kind, one in found][:MAX_FOUND]
    return FoundIdsModel(matches=matches, is_complete=len(found) <= MAX_FOUND)
