"""Rounds of a federation: what is accepted is recorded, what is bad is refused, and the round goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from federated_attacks import run
from inos.learn.errors import LearnError
from inos.learn.federated.coordinator import Coordinator, make_settings
from inos.learn.federated.models import Model
from inos.learn.federated.replies import Reply
from inos.learn.federated.rounds import RoundRecord, load_federation
from inos.learn.federated.updates import Terms
from inos.learn.federated.verify import verify_federation
from inos.primitives.units import Address
from support.federations import (
    MEMBERS,
    answer_all,
    draw_changes,
    make_member,
    make_model,
    make_reply,
    open_coordinator,
    settle_on,
)

BAD = MEMBERS[0]


def test_rounds_are_recorded_and_can_be_computed_again(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    for _ in range(3):
        assert coordinator.close_round(answer_all(coordinator)) == list(range(10))
    assert coordinator.model.id != make_model().id
    found = verify_federation(tmp_path, head=coordinator.federation.head)
    assert (found.rounds, found.updates, found.head) == (3, 30, coordinator.federation.head)
    assert load_federation(tmp_path).read_model(2).id.hex() == coordinator.federation.records[2].base


def test_another_machine_computes_the_same_model(tmp_path: Path) -> None:
    one, other = open_coordinator(tmp_path / "one"), open_coordinator(tmp_path / "other")
    (tmp_path / "other" / "spec.json").write_bytes((tmp_path / "one" / "spec.json").read_bytes())
    other = open_coordinator(tmp_path / "other")
    replies = answer_all(one)
    one.close_round(replies)
    other.close_round(replies)
    assert one.federation.head == other.federation.head


def change_all(terms: Terms) -> Any:
    return draw_changes(terms.round)[BAD.address]


def resend(folder: Path, terms: Terms) -> Reply:
    """Return the update that the member sent in round 1, as it was."""
    first = load_federation(folder).records[0].accepted
    mine = next(each for each in first if each.sender == BAD.address.hex())
    return Reply("", bytes(BAD.address), mine.proof, load_federation(folder).folder.get(mine.update))


def steal(folder: Path, terms: Terms) -> Reply:
    """Return another member's update of this round under one's own name."""
    theirs = make_reply(terms, MEMBERS[4], draw_changes(terms.round)[MEMBERS[4].address])
    return replace(theirs, sender=bytes(BAD.address))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder, terms: Reply("", b"", "", b""), "unknown-account"),
        (lambda folder, terms: Reply("", b"x" * 5000, "", b""), "unknown-account"),
        (lambda folder, terms: make_reply(terms, make_member(50), change_all(terms)), "unknown-account"),
        (lambda folder, terms: make_reply(terms, BAD, change_all(terms), signer=MEMBERS[3]), "bad-signature"),
        (lambda folder, terms: replace(make_reply(terms, BAD, change_all(terms)), proof="zz"), "bad-signature"),
        (lambda folder, terms: make_reply(replace(terms, round=1), BAD, change_all(terms)), "wrong-round"),
        (lambda folder, terms: make_reply(replace(terms, run=b"x" * 32), BAD, change_all(terms)), "wrong-run"),
        (lambda folder, terms: make_reply(replace(terms, base=b"x" * 32), BAD, change_all(terms)), "wrong-base"),
        (lambda folder, terms: make_reply(replace(terms, bits=7), BAD, change_all(terms)), "wrong-bits"),
        (resend, "wrong-round"),
        (steal, "wrong-sender"),
        (lambda folder, terms: Reply("", bytes(BAD.address), "", bytes(10**7)), "update-too-large"),
        (lambda folder, terms: Reply("", bytes(BAD.address), "", b"\xc0"), "not-an-update"),
        (lambda folder, terms: Reply("", bytes(BAD.address), "", None, "00" * 32), "no-mesh"),
        (lambda folder, terms: make_reply(terms, BAD, change_all(terms) * 0), "no-change"),
        (lambda folder, terms: make_reply(terms, BAD, draw_changes(1)[BAD.address]), "resent"),
        (lambda folder, terms: make_reply(terms, BAD, change_all(terms) * 300), "bad-length"),
    ],
)
def test_a_bad_update_is_neither_stored_nor_accepted(
    tmp_path: Path, make: Callable[[Path, Terms], Reply], code: str
) -> None:
    coordinator = open_coordinator(tmp_path)
    coordinator.close_round(answer_all(coordinator))
    bad = make(tmp_path, coordinator.open_round())
    before = set((tmp_path / "files").iterdir())
    assert coordinator.close_round([bad, *answer_all(coordinator, without=1)]) == list(range(1, 10))
    (why,) = coordinator.refused[2]
    assert why.why.code == code
    assert why.why.message
    record = coordinator.federation.records[1]
    assert BAD.address.hex() not in {each.sender for each in record.accepted}
    assert len(set((tmp_path / "files").iterdir()) - before) == 9 + 1
    assert verify_federation(tmp_path).rounds == 2


def test_a_forger_does_not_keep_a_member_out(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    replies = answer_all(coordinator)
    forged = replace(replies[0], proof=replies[1].proof)
    assert coordinator.close_round([forged, *replies]) == list(range(1, 11))
    assert coordinator.federation.records[0].refused == ()


def test_a_second_update_of_an_account_is_refused(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    replies = answer_all(coordinator)
    second = make_reply(coordinator.open_round(), BAD, draw_changes(9)[BAD.address])
    assert coordinator.close_round([*replies, second]) == list(range(10))
    assert [each.why.code for each in coordinator.refused[1]] == ["second-update"]
    assert coordinator.federation.records[0].refused == ()


def test_a_round_of_too_few_updates_changes_nothing(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    assert coordinator.close_round(answer_all(coordinator, without=6)) == []
    assert coordinator.close_round([]) == []
    assert coordinator.model.id == make_model().id
    assert coordinator.close_round(answer_all(coordinator)) == list(range(10))
    assert verify_federation(tmp_path).updates == 10


def test_a_federation_goes_on_after_a_restart_and_remembers_old_updates(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    coordinator.close_round(answer_all(coordinator))
    again = open_coordinator(tmp_path)
    assert again.model.id == coordinator.model.id
    rider = make_reply(again.open_round(), BAD, draw_changes(1)[MEMBERS[7].address])
    assert again.close_round([rider, *answer_all(again, without=1)]) == list(range(1, 10))
    assert [each.why.code for each in again.refused[2]] == ["resent"]


def test_a_torn_record_is_cut_off(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path)
    coordinator.close_round(answer_all(coordinator))
    records = tmp_path / "records.jsonl"
    records.write_bytes(records.read_bytes() + b'{"run":"12')
    torn = records.read_bytes()
    assert verify_federation(tmp_path).rounds == 1
    again = open_coordinator(tmp_path)
    assert records.read_bytes() == torn  # what only reads changes nothing
    again.close_round(answer_all(again))
    assert verify_federation(tmp_path).rounds == 2


@pytest.mark.parametrize("rule", ["median", "krum"])
def test_other_rules_work_too(tmp_path: Path, rule: str) -> None:
    coordinator = open_coordinator(tmp_path, rule=rule, bits=7)
    assert len(coordinator.close_round(answer_all(coordinator))) == 10
    assert verify_federation(tmp_path).rounds == 1


def test_the_largest_entries_only_are_enough_for_krum(tmp_path: Path) -> None:
    coordinator = open_coordinator(tmp_path, rule="krum", keep=0.25)
    assert len(coordinator.close_round(answer_all(coordinator))) == 10
    assert verify_federation(tmp_path).rounds == 1


def change_first(record: RoundRecord, **fields: str) -> RoundRecord:
    return replace(record, accepted=(replace(record.accepted[0], **fields), *record.accepted[1:]))


@pytest.mark.parametrize(
    ("name", "alter", "code"),
    [
        ("model", lambda record: replace(record, model=make_model().id.hex()), "round-wrong"),
        ("accepted", lambda record: replace(record, accepted=record.accepted[:5]), "round-wrong"),
        ("twice", lambda record: replace(record, accepted=record.accepted[:1] * 10), "round-wrong"),
        ("stranger", lambda record: change_first(record, sender="ab" * 20), "round-wrong"),
        ("proof", lambda record: change_first(record, proof="ab" * 96), "round-wrong"),
        ("parent", lambda record: replace(record, parent="ab" * 32), "parent-missing"),
        ("number", lambda record: replace(record, round=2), "bad-record"),
    ],
)
def test_a_changed_record_is_found(tmp_path: Path, name: str, alter: Callable[[Any], Any], code: str) -> None:
    coordinator = open_coordinator(tmp_path)
    coordinator.close_round(answer_all(coordinator))
    altered = alter(coordinator.federation.records[0])
    (tmp_path / "records.jsonl").write_bytes(b"")
    coordinator.federation.add(altered)
    with pytest.raises(LearnError) as found:
        verify_federation(tmp_path)
    assert found.value.code == code


def test_another_head_is_found(tmp_path: Path) -> None:
    open_coordinator(tmp_path)
    with pytest.raises(LearnError, match="the last record is") as found:
        verify_federation(tmp_path, head="00" * 32)
    assert found.value.code == "head-differs"


def test_another_federation_is_not_gone_on_with(tmp_path: Path) -> None:
    open_coordinator(tmp_path)
    with pytest.raises(LearnError, match="other members, rule, budget or terms"):
        open_coordinator(tmp_path, bits=7)
    with pytest.raises(LearnError, match="another model: 1 layers instead of 3"):
        Coordinator(tmp_path, settle_on(), Model({"weight": np.zeros(3)}))
    with pytest.raises(LearnError, match="need a client"):
        open_coordinator(tmp_path / "other", publish=True)


@pytest.mark.parametrize(
    "members", [[], [BAD.address] * 2, [Address(bytes([1, number] * 10)) for number in range(256)]]
)
def test_members_are_named_once(members: list[Address]) -> None:
    with pytest.raises(LearnError) as found:
        make_settings(members, rule="median", liars=0, bits=16, keep=1, budget=0)
    assert found.value.code == "bad-members"


@pytest.fixture(scope="module")
def honest() -> float:
    return run("none", rounds=10).accuracy


@pytest.mark.parametrize(
    ("attack", "least"),
    [
        ("flipped sign, 5 times", 0.5),
        ("100 times", 0.5),
        ("colluding, against the mean", 0.05),
        ("flipped labels", -0.05),
        ("colluding, hidden", -0.05),
    ],
)
def test_poisoned_clients_do_not_stop_it_from_learning(honest: float, attack: str, least: float) -> None:
    """A fifth of the clients attack; the accuracy is that of an honest run, and above FedAvg's by `least`."""
    found = run(attack, rounds=10)
    assert found.accuracy > 0.8 * honest
    assert found.accuracy > found.fedavg + least


@pytest.mark.parametrize("attack", ["resent", "resent, 10 % noise", "another's, resent", "the last step, 10 % noise"])
def test_free_riders_of_a_training_are_paid_for_their_own_round_only(attack: str) -> None:
    found = run(attack, rounds=10)
    assert found.paid == 2  # both attackers are honest in round 1, when there is nothing to resend
    assert found.honest_paid >= 0.95 * 80
