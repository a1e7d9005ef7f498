"""The signing journal: what it refuses, what survives a crash, and what is transferred with a key."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from inos.agents.voter import journal as journal_module
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
        ([], (3, 2), "source-above-target"),
        ([(1, 2)], (9, 8), "source-above-target"),
        ([(1, 2)], (2, 3), ""),
        ([], (2, 2), ""),
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


def test_another_user_s_lock_needs_no_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sticky folder, opening another user's file for writing is refused, even if its mode would allow it."""
    with open_journal(tmp_path):
        pass
    [lock] = tmp_path.glob("inos-voter-*.lock")
    assert lock.stat().st_mode & 0o777 == 0o644
    really_open = os.open

    def open_as_stranger(path: Any, flags: int, mode: int = 0o777) -> int:
        if Path(path) == lock and flags != os.O_RDONLY:
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, flags, mode)

    monkeypatch.setattr(os, "open", open_as_stranger)
    with open_journal(tmp_path), pytest.raises(NodeError) as refused, open_journal(tmp_path):
        pass
    assert refused.value.code == "voter-key-in-use"
