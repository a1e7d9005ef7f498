"""A source is one untrusted node, asked over JSON-RPC; bytes of its answers are decoded under their limits."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from inos.consensus.finality.trust import Step
from inos.consensus.records import MAX_RECORD_BYTES, StateKey
from inos.consensus.statetree import MAX_PROOF_BYTES, OtherLeaf, StateProof
from inos.light.errors import Lie
from inos.primitives.blocks import MAX_HEADER_BYTES, Header
from inos.primitives.codec import decode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId

T = TypeVar("T")
MAX_HEADERS: Final = 512
MAX_WITNESSES: Final = 8
MAX_STEPS: Final = 16
MAX_STEP_BYTES: Final = 64 << 10
MAX_WITNESS_BYTES: Final = 64 << 10


class Proven(msgspec.Struct, frozen=True):
    """Holds a record with its proof as a node sent it; the proof is not checked yet."""

    block: BlockId
    value: bytes | None
    proof: StateProof


class Connection(Protocol):
    """What a source needs of a JSON-RPC client: calls with bounded answers and a time limit.

    Its methods raise LightError ("source-unreachable", "source-refused"), and Lie ("lied-malformed") if the answer
    is not JSON-RPC or too large.
    """

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a call."""

    async def close(self) -> None:
        """Close the connection."""


class Source:
    """Asks one node. Every method may raise the errors of `Connection`, and Lie if an answer is malformed."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url = url
        self.connection = connection

    async def get_genesis(self) -> str:
        """Return the genesis id of the node's network, in hex."""
        return self._read(await self._call("node_version", {}), "genesis", str)

    async def get_headers(self, first: int, limit: int) -> tuple[list[Header], int]:
        """Return headers of its chain from a height on, and the height of its tip."""
        answer = await self._call("chain_getRawHeaders", {"first": first, "limit": min(limit, MAX_HEADERS)})
        texts = self._read(answer, "headers", list)[:MAX_HEADERS]
        return [self._decode(Header, text, MAX_HEADER_BYTES) for text in texts], self._read(answer, "height", int)

    async def get_witnesses(self, blocks: Sequence[BlockId]) -> list[Witness | None]:
        """Return the witnesses of blocks, and None for those it does not keep."""
        answer = await self._call("light_witnesses", {"blocks": [block.hex() for block in blocks]})
        texts = self._read(answer, "witnesses", list)
        if len(texts) != len(blocks):
            raise Lie("lied-malformed", self.url, f"{len(texts)} witnesses where {len(blocks)} were asked for")
        return [None if text is None else self._decode(Witness, text, MAX_WITNESS_BYTES) for text in texts]

    async def get_steps(self, first: int) -> list[Step]:
        """Return the steps of finality from an epoch on."""
        answer = await self._call("light_finalityProofs", {"first": first})
        return [self._decode(Step, text, MAX_STEP_BYTES) for text in self._read(answer, "proofs", list)[:MAX_STEPS]]

    async def prove(self, key: StateKey, block: BlockId | None) -> Proven:
        """Return a record after a block, or after the tip, with its proof."""
        params = {"key": key.hex(), "block": None if block is None else block.hex()}
        answer = await self._call("light_prove", params)
        value, other_path = answer.get("value"), answer.get("other_path")
        other = None
        if other_path is not None:
            other = OtherLeaf(
                self._unhex(other_path, 64), self._unhex(self._read(answer, "other_value", str), 2 * MAX_PROOF_BYTES)
            )
        siblings = tuple(self._unhex(each, 64) for each in self._read(answer, "siblings", list)[:256])
        return Proven(
            BlockId(self._unhex(self._read(answer, "block", str), 64)),
            None if value is None else self._unhex(value, 2 * MAX_RECORD_BYTES),
            StateProof(siblings, other),
        )

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        result = await self.connection.call(method, params)
        if not isinstance(result, dict):
            raise Lie("lied-malformed", self.url, f"the result of {method} is not an object")
        return result

    def _read(self, answer: dict[str, Any], name: str, kind: type[T]) -> T:
        value = answer.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Lie("lied-malformed", self.url, f"an answer without a proper {name!r}")
        return value

    def _unhex(self, text: Any, most: int) -> bytes:
        try:
            if isinstance(text, str) and len(text) <= most:
                return bytes.fromhex(text)
        except ValueError:
            pass
        raise Lie("lied-malformed", self.url, "an answer with something that is not hex of its length")

    def _decode(self, kind: type[T], text: Any, limit: int) -> T:
        try:
            return decode(kind, self._unhex(text, 2 * limit), limit=limit)
        except CodecError as error:
            raise Lie("lied-malformed", self.url, error.message) from error
