"""The EIP-3076 interchange: what moves with a key to another machine, and what is refused."""

import json
from pathlib import Path

import pytest

from inos.agents.voter.interchange import decode_interchange, encode_interchange
from inos.agents.voter.journal import Journal, Refused, Signed
from inos.core.errors import NodeError
from inos.primitives.units import BlockId

KEY, GENESIS = b"\3" * 48, BlockId(b"\7" * 32)


def vote(source: int, target: int, tag: int = 1) -> Signed:
    return Signed(source, target, f"{tag:064x}")


def open_journal(path: Path, *, key: bytes = KEY, genesis: BlockId = GENESIS) -> Journal:
    return Journal(path / "voter.journal", key, genesis, lock_dir=path)


def test_interchange_goes_both_ways(tmp_path: Path) -> None:
    signed = [vote(1, 2), vote(2, 3), Signed(3, 4, "")]
    text = encode_interchange(GENESIS, KEY, signed)
    document = json.loads(text)
    assert document["metadata"] == {
        "interchange_format_version": "5",
        "genesis_validators_root": "0x" + GENESIS.hex(),
    }
    assert document["data"][0]["signed_attestations"][0] == {
        "source_epoch": "1",
        "target_epoch": "2",
        "signing_root": "0x" + vote(1, 2).root,
    }
    assert decode_interchange(text, GENESIS, KEY) == signed
    with open_journal(tmp_path) as journal:
        assert journal.note(decode_interchange(text, GENESIS, KEY)) == 3
        assert journal.note(signed) == 0
        for refused in (vote(1, 2, 9), vote(3, 4), vote(1, 5), vote(0, 1)):
            with pytest.raises(Refused):
                journal.sign(refused)
        journal.sign(vote(4, 5))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d["metadata"].update(interchange_format_version="4"), "bad-interchange"),
        (lambda d: d["metadata"].update(genesis_validators_root="0x" + "11" * 32), "other-genesis"),
        (lambda d: d["data"][0].update(pubkey="0x" + "11" * 48), "other-key"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(source_epoch=1), "bad-interchange"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(source_epoch="-1"), "bad-interchange"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(source_epoch="9"), "bad-interchange"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(target_epoch=str(2**64)), "bad-interchange"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(target_epoch="9" * 5000), "bad-interchange"),
        (lambda d: d["data"][0]["signed_attestations"][0].update(signing_root=""), "bad-interchange"),
        (lambda d: d["data"][0].pop("signed_attestations"), "bad-interchange"),
        (lambda d: d.update(data=7), "bad-interchange"),
    ],
)
def test_interchanges_that_are_none(change, code: str) -> None:  # type: ignore[no-untyped-def]
    document = json.loads(encode_interchange(GENESIS, KEY, [vote(1, 2)]))
    change(document)
    with pytest.raises(NodeError) as caught:
        decode_interchange(json.dumps(document), GENESIS, KEY)
    assert caught.value.code == code


def test_every_uint64_is_an_epoch_and_a_root_may_be_null(tmp_path: Path) -> None:
    document = json.loads(encode_interchange(GENESIS, KEY, [vote(1, 2), vote(2, 3)]))
    first, last = document["data"][0]["signed_attestations"]
    first["signing_root"] = None
    last["source_epoch"] = last["target_epoch"] = str(2**64 - 1)
    found = decode_interchange(json.dumps(document), GENESIS, KEY)
    assert found == [Signed(1, 2, ""), Signed(2**64 - 1, 2**64 - 1, vote(2, 3).root)]
    with open_journal(tmp_path) as journal:
        journal.note(found)
    with open_journal(tmp_path) as journal:
        assert journal.note(found) == 0
        with pytest.raises(Refused, match="already"):
            journal.sign(vote(1, 2))
