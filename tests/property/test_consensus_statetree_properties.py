"""The state root depends only on the set of records, and a proof shows only what is true."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from inos.consensus.records import StateKey
from inos.consensus.statetree import OtherLeaf, check_proof, compute_state_root, make_proof
from inos.primitives.units import StateRoot

keys = st.binary(min_size=1, max_size=3).map(StateKey)
trees = st.dictionaries(keys, st.binary(max_size=4), max_size=12)


@given(trees, st.randoms(use_true_random=False))
def test_order_does_not_matter(records: dict[StateKey, bytes], random: object) -> None:
    items = list(records.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert compute_state_root(dict(items)) == compute_state_root(records)


@given(trees, keys, st.binary(max_size=4))
def test_different_records_have_different_roots(records: dict[StateKey, bytes], key: StateKey, value: bytes) -> None:
    changed = {**records, key: value}
    assert (compute_state_root(changed) == compute_state_root(records)) == (changed == records)


@given(trees, keys, st.binary(max_size=4))
def test_proofs_show_what_is_there_and_only_that(records: dict[StateKey, bytes], key: StateKey, lie: bytes) -> None:
    root, proof, truth = compute_state_root(records), make_proof(records, key), records.get(key)
    assert check_proof(root, key, truth, proof)
    assert check_proof(root, key, lie, proof) == (lie == truth)
    if truth is not None:
        assert not check_proof(root, key, None, proof)


@given(trees, st.data())
def test_a_changed_proof_fails(records: dict[StateKey, bytes], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(records)) | keys if records else keys)
    root, proof, value = compute_state_root(records), make_proof(records, key), records.get(key)
    flip = data.draw(st.integers(1, 255))
    if proof.siblings:
        place = data.draw(st.integers(0, len(proof.siblings) - 1))
        byte = data.draw(st.integers(0, 31))
        broken = bytearray(proof.siblings[place])
        broken[byte] ^= flip
        siblings = (*proof.siblings[:place], bytes(broken), *proof.siblings[place + 1 :])
        assert not check_proof(root, key, value, msgspec.structs.replace(proof, siblings=siblings))
        assert not check_proof(root, key, value, msgspec.structs.replace(proof, siblings=proof.siblings[:-1]))
    longer = (*proof.siblings, bytes(32))
    assert not check_proof(root, key, value, msgspec.structs.replace(proof, siblings=longer))
    if proof.other is not None:
        other = OtherLeaf(proof.other.path, proof.other.value + b"x")
        assert not check_proof(root, key, value, msgspec.structs.replace(proof, other=other))
    assert not check_proof(StateRoot(bytes([root[0] ^ flip]) + root[1:]), key, value, proof)
