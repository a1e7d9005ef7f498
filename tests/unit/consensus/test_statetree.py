"""The state tree: small trees computed by hand, and proofs of every kind."""

from blake3 import blake3

from inos.consensus.records import StateKey
from inos.consensus.statetree import (
    MAX_PROOF_BYTES,
    OtherLeaf,
    StateProof,
    check_proof,
    compute_path,
    compute_state_root,
    get_bit,
    make_proof,
)
from inos.primitives.codec import decode, encode
from inos.primitives.units import StateRoot


def h(context: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context="inos v1 " + context).digest()


def path(key: bytes) -> bytes:
    return h("state key", key)


def find_key(prefix: str, *, but: frozenset[bytes] = frozenset()) -> StateKey:
    """Return the first key of a counter whose path starts with these bits."""
    for n in range(10_000):
        key = StateKey(b"\x01" + n.to_bytes(20, "big"))
        if f"{int.from_bytes(path(key), 'big'):0256b}".startswith(prefix) and key not in but:
            return key
    raise LookupError(prefix)


def test_the_empty_tree() -> None:
    assert compute_state_root({}) == bytes(32)
    assert make_proof({}, StateKey(b"a")) == StateProof()
    assert check_proof(StateRoot(bytes(32)), StateKey(b"a"), None, StateProof())
    assert not check_proof(StateRoot(bytes(32)), StateKey(b"a"), b"", StateProof())


def test_a_single_record_is_its_leaf() -> None:
    key = StateKey(b"\x05")
    assert compute_path(key) == path(key)
    assert compute_state_root({key: b"value"}) == h("state leaf", path(key) + b"value")


def test_two_records_that_part_at_the_first_bit() -> None:
    left, right = find_key("0"), find_key("1")
    expected = h("state node", h("state leaf", path(left) + b"l") + h("state leaf", path(right) + b"r"))
    assert compute_state_root({right: b"r", left: b"l"}) == expected


def test_two_records_that_part_at_the_third_bit() -> None:
    a, b = find_key("010"), find_key("011")
    both = h("state node", h("state leaf", path(a) + b"a") + h("state leaf", path(b) + b"b"))
    expected = h("state node", h("state node", bytes(32) + both) + bytes(32))
    records = {a: b"a", b: b"b"}
    root = compute_state_root(records)
    assert root == expected
    proof = make_proof(records, a)
    assert proof.siblings == (bytes(32), bytes(32), h("state leaf", path(b) + b"b"))
    assert check_proof(root, a, b"a", proof)


def test_absence_by_an_empty_subtree_and_by_another_leaf() -> None:
    a, b = find_key("010"), find_key("011")
    records = {a: b"a", b: b"b"}
    root = compute_state_root(records)
    empty = find_key("1")
    proof = make_proof(records, empty)
    assert proof == StateProof((compute_subtree_00_to_01(records),), None)
    assert check_proof(root, empty, None, proof)
    beside = find_key("010", but=frozenset({a}))
    proof = make_proof(records, beside)
    assert proof.other == OtherLeaf(path(a), b"a")
    assert check_proof(root, beside, None, proof)
    # the proof cannot show that the other leaf's own record is absent, nor a record of another subtree
    assert not check_proof(root, a, None, proof)
    assert not check_proof(root, find_key("011", but=frozenset({b})), None, proof)
    assert not check_proof(root, beside, b"a", proof)
    assert not check_proof(root, beside, None, StateProof(proof.siblings, None))


def compute_subtree_00_to_01(records: dict[StateKey, bytes]) -> bytes:
    """Everything under bit 0 is an empty half and the two leaves."""
    (a, b) = sorted(records, key=path)
    both = h("state node", h("state leaf", path(a) + records[a]) + h("state leaf", path(b) + records[b]))
    return h("state node", bytes(32) + both)


def test_bits_count_from_the_most_significant() -> None:
    assert [get_bit(b"\x80\x01", d) for d in range(16)] == [1, *[0] * 14, 1]


def test_too_many_siblings() -> None:
    key = StateKey(b"k")
    root = compute_state_root({key: b"v"})
    assert not check_proof(root, key, b"v", StateProof((bytes(32),) * 257, None))


def test_proofs_survive_the_codec() -> None:
    records = {find_key("010"): b"a", find_key("011"): b"b"}
    proof = make_proof(records, find_key("010", but=frozenset(records)))
    assert decode(StateProof, encode(proof), limit=MAX_PROOF_BYTES) == proof


def test_a_proof_has_one_spelling() -> None:
    a, b = find_key("010"), find_key("011")
    records = {a: b"a", b: b"b"}
    proof = make_proof(records, a)
    with_other = StateProof(proof.siblings, OtherLeaf(path(b), b"b"))
    assert not check_proof(compute_state_root(records), a, b"a", with_other)
