"""A signing journal moves with its key to another machine in EIP-3076's interchange format, version 5.

An attestation there is a vote here. `genesis_validators_root` is the genesis id, `signing_root` is the hash of the
vote, and no blocks are signed. Numbers are decimal strings and bytes are hex with 0x, as the format has them.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from inos.agents.voter.journal import Signed, is_forward
from inos.core.errors import NodeError
from inos.primitives.units import U64_MAX, BlockId

FORMAT_VERSION: Final = "5"
MAX_INTERCHANGE_BYTES: Final = 256 << 20
_EPOCH: Final = re.compile(r"[0-9]{1,20}")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")


def encode_interchange(genesis: BlockId, key: bytes, signed: Iterable[Signed]) -> str:
    """Encode the journal as one JSON document."""
    votes = [
        {"source_epoch": str(each.source), "target_epoch": str(each.target)}
        | ({"signing_root": f"0x{each.root}"} if each.root else {})
        for each in signed
    ]
    document = {
        "metadata": {"interchange_format_version": FORMAT_VERSION, "genesis_validators_root": f"0x{genesis.hex()}"},
        "data": [{"pubkey": f"0x{key.hex()}", "signed_blocks": [], "signed_attestations": votes}],
    }
    return json.dumps(document, indent=2) + "\n"


def decode_interchange(text: str, genesis: BlockId, key: bytes) -> list[Signed]:
    """Return the votes of one key.

    Raises:
        NodeError: "bad-interchange", "other-genesis", "other-key" if the key is not in it.
    """
    try:
        document = json.loads(text)
        metadata = document["metadata"]
        if metadata["interchange_format_version"] != FORMAT_VERSION:
            raise _refuse(f"version {metadata['interchange_format_version']!r} instead of {FORMAT_VERSION!r}")
        root = _read_hex(metadata["genesis_validators_root"])
        if root != genesis.hex():
            raise NodeError("other-genesis", f"the interchange is of genesis {root}, this network's is {genesis.hex()}")
        found = [entry for entry in document["data"] if _read_hex(entry["pubkey"]) == key.hex()]
        if not found:
            raise NodeError("other-key", f"the interchange has no votes of the key {key.hex()}")
        return [_read_vote(vote) for entry in found for vote in entry["signed_attestations"]]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _refuse(f"{type(error).__name__}: {error}") from error


def _read_vote(vote: Any) -> Signed:
    source, target = _read_epoch(vote["source_epoch"]), _read_epoch(vote["target_epoch"])
    if not is_forward(source, target):
        raise _refuse(f"a vote from epoch {source} to {target}")
    root = vote.get("signing_root")  # It is optional, and other programs write null for a root they do not know.
    return Signed(source, target, "" if root is None else _read_hex(root))


def _read_epoch(text: Any) -> int:
    if not isinstance(text, str) or not _EPOCH.fullmatch(text) or int(text) > U64_MAX:
        raise _refuse(f"{text!r:.40} is not an epoch, which is a decimal number below 2^64 in quotes")
    return int(text)


def _read_hex(text: Any) -> str:
    if not isinstance(text, str) or not _HEX.fullmatch(text):
        raise _refuse(f"{text!r} is not hex with 0x")
    return text[2:].lower()


def _refuse(why: str) -> NodeError:
    return NodeError("bad-interchange", f"this is not an EIP-3076 interchange: {why}")
