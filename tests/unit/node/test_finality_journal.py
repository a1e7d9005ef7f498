"""The signing journal: what it refuses, what survives a crash, and what is transferred with a key."""

import json
import os
from pathlib import Path

import pytest

from inos.agents.voter import journal as journal_module
from inos.agents.voter.interchange import decode_interchange, encode_interchange
from inos.agents.voter.journal import Journal, Refused, Signed, check_signing
from inos.core.errors import NodeError
from inos.primitives.units import BlockId

KEY, GENESIS = b"\3" * 48, BlockId(b"\7" * 32)


def vote(source: int, target: int, tag: int = 1) -> Signed:
    return Signed(source, target, f"{tag:064x}")


def open_journal(path: Path, *, key: bytes = KEY, genesis: BlockId = GENESIS) -> Journal:
    return Journal(path / "voter.journal", key, genesis, lock_dir=path)


@pytest.mark.parametrize(
    ("signed", "new", "code"),
    [
        ([(1, 2)], (1, 2, 9), "would-vote-twice"),
        ([(0, 2)], (1, 2), "would-vote-twice"),
        ([(2, 3)], (1, 4), "would-surround"),
        ([(1, 4)], (2, 3), "would-surround"),
        ([(1, 2), (3, 5)], (0, 6), "would-surround"),
        ([(3, 5)], (2, 4), "below-journal"),
        ([(3, 5)], (3, 4), "below-journal"),
        ([(1, 2)], (2, 3), ""),
        ([(1, 2)], (1, 3), ""),
        ([(1, 2), (2, 3)], (1, 4), "would-surround"),
        ([], (0, 1), ""),
    ],
)
def test_what_may_be_signed(signed: list[tuple[int, int]], new: tuple[int, ...], code: str) -> None:
    known = [vote(*each) for each in signed]
    if code:
        with pytest.raises(Refused) as caught:
            check_signing(known, vote(*new))
        assert caught.value.code == code
    else:
        assert not check_signing(known, vote(*new))


def test_the_same_vote_may_leave_again_and_one_without_a_hash_may_not() -> None:
    assert check_signing([vote(1, 2)], vote(1, 2))
    with pytest.raises(Refused):
        check_signing([Signed(1, 2, "")], vote(1, 2))


def test_a_vote_is_on_disk_before_sign_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append((tmp_path / "voter.journal").read_bytes()))
    with open_journal(tmp_path) as journal:
        journal.sign(vote(1, 2))
        assert json.loads(synced[-1].splitlines()[-1]) == {"source": 1, "target": 2, "root": vote(1, 2).root}


def test_it_survives_a_restart_and_a_line_cut_short(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.sign(vote(1, 2))
    with (tmp_path / "voter.journal").open("ab") as file:
        file.write(b'{"source":2,"tar')  # the crash happened before the fsync, so this vote was never sent
    with open_journal(tmp_path) as journal:
        assert journal.signed == (vote(1, 2),)
        with pytest.raises(Refused):
            journal.sign(vote(1, 2, 9))
        journal.sign(vote(2, 3))
    with open_journal(tmp_path) as journal:
        assert journal.signed == (vote(1, 2), vote(2, 3))


def test_a_disk_that_takes_nothing_stops_the_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(28, "No space left on device")

    with open_journal(tmp_path) as journal:
        monkeypatch.setattr(journal_module.os, "fsync", fail)
        with pytest.raises(NodeError) as caught:
            journal.sign(vote(1, 2))
        assert caught.value.code == "journal-unusable"


def test_damage_in_the_middle_and_other_owners_are_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.sign(vote(1, 2))
    for changes in ({"key": b"\4" * 48}, {"genesis": BlockId(b"\1" * 32)}):
        with pytest.raises(NodeError) as caught, open_journal(tmp_path, **changes):  # type: ignore[arg-type]
            pass
        assert caught.value.code == "journal-of-another"
    path = tmp_path / "voter.journal"
    path.write_bytes(path.read_bytes().replace(b'"target":2', b'"target":x') + b"{}\n")
    with pytest.raises(NodeError) as caught, open_journal(tmp_path):
        pass
    assert caught.value.code == "journal-damaged"


def test_one_key_in_one_process(tmp_path: Path) -> None:
    """The second process has a directory of its own, like a restored backup next to the original."""
    backup = tmp_path / "backup"
    backup.mkdir()
    with open_journal(tmp_path):
        second = Journal(backup / "voter.journal", KEY, GENESIS, lock_dir=tmp_path)
        with pytest.raises(NodeError) as caught, second:
            pass
        assert caught.value.code == "voter-key-in-use"
        with Journal(backup / "other.journal", b"\5" * 48, GENESIS, lock_dir=tmp_path):
            pass
    with second:
        assert second.signed == ()


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
