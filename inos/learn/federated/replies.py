"""What clients answer is read: each answer becomes a checked update of a member, or the reason why it is none."""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.client.blocking_client import BlockingClient
from inos.evolve.errors import InvalidRecord, Missing
from inos.evolve.files import MeshFiles
from inos.learn.federated.updates import RefusedUpdate, Terms, read_update
from inos.primitives.errors import InosError
from inos.primitives.units import HASH_BYTES, Address


class Reply(Struct, frozen=True):
    """What a client answered, unchecked.

    Args:
        node: what the transport calls the client.
        sender: the address that the update is said to come from.
        proof: of that, in hex.
        data: the update, or None if it is in the mesh.
        id: the update's id in the mesh, if it is there.
    """

    node: str
    sender: bytes
    proof: str
    data: bytes | None = None
    id: str = ""


class Signed(Struct, frozen=True):
    """An update that a member signed for this round, and its number among the replies."""

    sender: Address
    data: bytes
    proof: str
    row: NDArray[np.int64]
    number: int


class Refusal(Struct, frozen=True):
    """An update that was refused.

    Args:
        node: what the transport calls the client.
        sender: the account that signed it; None if no account did, so that nobody is blamed for what others send.
    """

    node: str
    sender: Address | None
    why: RefusedUpdate


class Reader:
    """Reads the replies of a round.

    Args:
        sizes: of the model's trained layers.
        mesh: where updates are fetched that are not in the reply; without a node such updates are refused.
    """

    def __init__(self, members: Iterable[Address], sizes: Sequence[int], mesh: BlockingClient | None) -> None:
        self._members, self._sizes = frozenset(members), sizes
        self._mesh = None if mesh is None else MeshFiles(mesh)

    def read(self, terms: Terms, replies: Sequence[Reply]) -> tuple[list[Signed], list[Refusal]]:
        """Return the updates that may be used, in order, and the reasons against all others."""
        found: dict[Address, Signed] = {}
        refused = []
        for number, reply in enumerate(replies):
            try:
                signed = self._read(terms, reply, number)
            except RefusedUpdate as error:
                refused.append(Refusal(reply.node, None, error))
                continue
            if signed.sender in found:
                why = RefusedUpdate("second-update", "the account has an update in this round already")
                refused.append(Refusal(reply.node, signed.sender, why))
                continue
            found[signed.sender] = signed
        return list(found.values()), refused

    def _read(self, terms: Terms, reply: Reply, number: int) -> Signed:
        sender = Address(reply.sender)
        if sender not in self._members:
            raise RefusedUpdate("unknown-account", f"account {reply.sender[:32].hex()} is no member of this federation")
        data = self._fetch(terms, reply) if reply.data is None else reply.data
        row = read_update(terms, self._sizes, sender, data, reply.proof)
        return Signed(sender, data, reply.proof, row, number)

    def _fetch(self, terms: Terms, reply: Reply) -> bytes:
        if self._mesh is None:
            raise RefusedUpdate("no-mesh", "the update is in the mesh, and the server has no node to fetch it from")
        try:
            file = bytes.fromhex(reply.id)
        except ValueError:
            file = b""
        if len(file) != HASH_BYTES:
            raise RefusedUpdate("bad-id", f"{reply.id[:80]!r} is no id of a file in the mesh")
        try:
            return self._mesh.get(file, terms.compute_max_bytes(self._sizes), "the update")
        except (Missing, InvalidRecord) as error:
            code = "update-missing" if isinstance(error, Missing) else "update-too-large"
            raise RefusedUpdate(code, error.message) from error
        except InosError as error:
            raise RefusedUpdate("update-missing", f"the update cannot be fetched: {error.message}") from error
