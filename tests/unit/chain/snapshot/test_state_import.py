"""A state that is imported from peers by ranges into an empty ledger: resumed, moved to another block, forged."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inos.chain import schema
from inos.chain.ledger import Ledger
from inos.chain.past import PastState
from inos.chain.ranking import Ranking
from inos.chain.snapshot.importer import CLEARING
from inos.chain.snapshot.state_import import StateImport
from inos.consensus.records import account_key
from inos.consensus.stateranges import ROOT, Halves, Place, Records, StateRange, check_range
from inos.primitives.blocks import compute_block_id
from inos.primitives.bls import get_bls
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError, NotYet, RuleViolation
from inos.primitives.units import Address, Nano
from support.chain_maker import ALICE, EASY, NOW, Branch, feed, make_post
from support.field_changes import change_fields

CROWD = {Address(n.to_bytes(20, "big")): Nano(n + 1) for n in range(9000)}


@pytest.fixture(scope="module")
def branch() -> Branch:
    made = Branch(EASY, {ALICE.address: Nano(10**12), **CROWD})
    for n in range(12):
        txs = [made.pay(ALICE, Address((50_000 + 10 * n + i).to_bytes(20, "big")), ahead=i) for i in range(5)]
        made.grow(*txs, made.sign(ALICE, make_post(made.height + 1, max_burn=10**6), ahead=5))
    return made


@pytest.fixture
def source(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    ledger = branch.open_ledger(tmp_path / "source")
    feed(ledger, branch.blocks)
    yield ledger
    ledger.close()


def open_empty(branch: Branch, path: Path) -> Ledger:
    return Ledger.open(
        path, branch.params, branch.genesis, results=branch.products, bls=get_bls(), is_durable=False, awaits_state=0
    )


def get_past(source: Ledger, height: int) -> PastState:
    past = source.view.get_past(height)
    assert past is not None
    return past


def fill(ledger: Ledger, state: StateImport, past: PastState, limit: int = 10_000) -> None:
    while limit and (places := state.list_missing(1)):
        found = past.read_range(places[0])
        assert found is not None
        check_range(past.root, places[0], found)
        assert ledger.get_importer().state.add(places[0], found)
        limit -= 1


def begin(ledger: Ledger, branch: Branch, height: int) -> StateImport:
    for made in branch.blocks:
        ledger.add_header(made.block.header, NOW)
    return ledger.get_importer().begin(branch.blocks[height - 1].id)


def test_new_ledger_stands_on_a_past_block_and_connects_the_rest(
    branch: Branch, source: Ledger, tmp_path: Path
) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    state = begin(ledger, branch, 8)
    assert ledger.view.get_missing_blocks(10) == []
    with pytest.raises(NotYet, match="state is being imported"):
        ledger.add_block(branch.blocks[0].block, branch.blocks[0].witness, NOW)
    assert ledger.view.state.get_account(ALICE.address).balance == 10**12, "readers see genesis meanwhile"
    fill(ledger, state, get_past(source, 8))
    outcome = ledger.finish_import()
    assert outcome.connected == (branch.blocks[7].id,)
    ledger.check()
    assert ledger.view.tip.header.height == 8
    assert ledger.view.get_missing_blocks(10) == [made.id for made in branch.blocks[8:]]
    feed(ledger, branch.blocks[8:])
    ledger.check()
    assert dict(ledger.view.reader.iterate_records()) == dict(source.view.reader.iterate_records())
    assert ledger.view.reader.list_jobs() == source.view.reader.list_jobs()
    assert list_richest(ledger) == list_richest(source)
    ledger.close()
    again = branch.open_ledger(tmp_path / "new")
    assert again.view.tip.id == source.view.tip.id
    assert again.view.get_block_id(3) == branch.blocks[2].id  # type: ignore[arg-type]
    assert again.view.get_past(7) is None, "nothing below the state it began with"
    assert again.view.get_past(9) is not None
    again.close()


def test_killed_import_is_resumed_and_an_unwanted_one_forgotten(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    past = get_past(source, 8)
    ledger = open_empty(branch, tmp_path / "new")
    fill(ledger, begin(ledger, branch, 8), past, limit=3)
    ledger.close()
    ledger = open_empty(branch, tmp_path / "new")
    state = ledger.get_importer().begin(branch.blocks[7].id)
    assert ROOT not in state.list_missing(100), "what was here is asked for again"
    fill(ledger, state, past)
    before = state.added
    assert before < 8
    ledger.close()
    plain = branch.open_ledger(tmp_path / "new")  # started without a checkpoint: from genesis on
    feed(plain, branch.blocks[:2])
    plain.check()
    plain.close()


def test_import_moves_to_a_later_block(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    fill(ledger, begin(ledger, branch, 4), get_past(source, 4), limit=4)
    state = ledger.get_importer().begin(branch.blocks[10].id)
    fill(ledger, state, get_past(source, 11))
    ledger.finish_import()
    ledger.check()
    assert dict(ledger.view.reader.iterate_records()) == {
        key: value for key, value in branch_records(branch, 11).items() if value is not None
    }
    ledger.close()


def branch_records(branch: Branch, height: int) -> dict[bytes, bytes]:
    return dict(branch.fork(len(branch.blocks) - height).records.all)


def list_richest(ledger: Ledger) -> list[tuple[Address, int]]:
    return ledger.view.reader.list_ranking(Ranking.HOLDINGS, limit=20_000)


def test_whole_import_moves_back_and_forth_without_leaving_anything(
    branch: Branch, source: Ledger, tmp_path: Path
) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    fill(ledger, begin(ledger, branch, 11), get_past(source, 11))
    fill(ledger, ledger.get_importer().begin(branch.blocks[0].id), get_past(source, 1))
    ledger.finish_import()
    ledger.check()
    assert dict(ledger.view.reader.iterate_records()) == branch_records(branch, 1)
    assert len(ledger.view.reader.list_jobs()) == 1
    executed = branch.open_ledger(tmp_path / "executed")
    feed(executed, branch.blocks[:1])
    assert list_richest(ledger) == list_richest(executed)
    executed.close()
    ledger.close()


def spoil_value(found: StateRange) -> StateRange:
    assert isinstance(found.content, Records)
    (key, value), *rest = found.content.records
    return msgspec.structs.replace(found, content=Records(((key, value + b"\0"), *rest)))


def leave_out(found: StateRange) -> StateRange:
    assert isinstance(found.content, Records)
    return msgspec.structs.replace(found, content=Records(found.content.records[1:]))


def swap(found: StateRange) -> StateRange:
    assert isinstance(found.content, Records)
    a, b, *rest = found.content.records
    return msgspec.structs.replace(found, content=Records((b, a, *rest)))


def spoil_siblings(found: StateRange) -> StateRange:
    return msgspec.structs.replace(found, siblings=(bytes(32), *found.siblings[1:]))


def say_halves(found: StateRange) -> StateRange:
    return msgspec.structs.replace(found, content=Halves(bytes(32), b"\1" * 32))


@pytest.mark.parametrize("lie", [spoil_value, leave_out, swap, spoil_siblings, say_halves])
def test_wrong_range_is_refused_and_leaves_nothing(lie: object, branch: Branch, source: Ledger, tmp_path: Path) -> None:
    past = get_past(source, 8)
    ledger = open_empty(branch, tmp_path / "new")
    state = begin(ledger, branch, 8)
    while True:
        place = state.list_missing(1)[0]
        found = past.read_range(place)
        assert found is not None
        if isinstance(found.content, Records):
            break
        ledger.get_importer().state.add(place, found)
    with pytest.raises(RuleViolation):
        ledger.get_importer().state.add(place, lie(found))  # type: ignore[operator]
    with pytest.raises(RuleViolation):
        check_range(past.root, place, lie(found))  # type: ignore[operator]
    fill(ledger, state, past)
    ledger.finish_import()
    ledger.check()
    ledger.close()


def test_each_field_of_a_range_counts(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    """Each is changed alone, in a range of halves and in one of records: it is refused, and nothing is written."""
    past, kinds = get_past(source, 8), set()
    ledger = open_empty(branch, tmp_path / "new")
    state = begin(ledger, branch, 8)
    while Records not in kinds:
        place = state.list_missing(1)[0]
        found = past.read_range(place)
        assert found is not None
        before = dict(ledger._db.iterate(b""))
        if type(found.content) not in kinds:
            for path, data in change_fields(encode(found)):
                if path.startswith("[1][1][") and not path.startswith("[1][1][0]"):
                    continue  # One record stands for the thousands that follow it.
                with pytest.raises((CodecError, RuleViolation)) as refused:
                    state.add(place, decode(StateRange, data, limit=1 << 24))
                assert refused.value.message, path
            assert dict(ledger._db.iterate(b"")) == before
            kinds.add(type(found.content))
        state.add(place, found)
    assert kinds == {Halves, Records}
    fill(ledger, state, past)
    ledger.finish_import()
    ledger.close()


def test_unfinished_import_does_not_end(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    fill(ledger, begin(ledger, branch, 8), get_past(source, 8), limit=2)
    with pytest.raises(NotYet, match="not complete"):
        ledger.finish_import()
    ledger.abandon_import()
    feed(ledger, branch.blocks)
    ledger.check()
    ledger.close()


def test_past_state_is_that_of_its_block(branch: Branch, source: Ledger) -> None:
    for height in (0, 5, 12):
        past = get_past(source, height)
        records = branch_records(branch, height)
        assert all(past.get(key) == value for key, value in records.items())  # type: ignore[arg-type]
    assert source.view.get_past(13) is None
    assert past.read_range(Place(256, b"\1" * 32)) is None


def test_branch_that_leaves_below_the_base_is_not_followed(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    other = branch.fork(back=6)
    others = other.grow_by(2, nonce=7)
    state = begin(ledger, branch, 8)
    ledger.add_header(others[0].block.header, NOW)
    fill(ledger, state, get_past(source, 8))
    ledger.finish_import()
    assert ledger.view.final.id == branch.blocks[7].id
    late = branch.fork(back=7).grow_by(1, nonce=9)[0]
    with pytest.raises(NotYet, match="leaves the chain below its last final block"):
        ledger.add_header(late.block.header, NOW)
    feed(ledger, branch.blocks[8:])
    assert ledger.view.tip.id == source.view.tip.id
    ledger.close()


def test_state_that_was_half_removed_leaves_nothing(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    nodes = list(ledger._db.iterate_keys(schema.NODE))
    left = {schema.state_key(account_key(Address(b"\xee" * 20))): b"a record of no tree"}
    ledger._db.write({schema.META_IMPORT: CLEARING, **dict.fromkeys(nodes), **left})
    fill(ledger, begin(ledger, branch, 8), get_past(source, 8))
    ledger.finish_import()
    ledger.check()
    assert dict(ledger.view.reader.iterate_records()) == branch_records(branch, 8)
    ledger.close()


def test_what_genesis_has_already_is_not_asked_for(branch: Branch, source: Ledger, tmp_path: Path) -> None:
    ledger = open_empty(branch, tmp_path / "new")
    state = ledger.get_importer().begin(compute_block_id(branch.genesis.header))
    assert state.is_complete
    ledger.abandon_import()
    ledger.check()
    ledger.close()
