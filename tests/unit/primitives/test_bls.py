"""Tests the two BLS backends: the draft's ciphersuite, the same bytes, the same refusals."""

import subprocess
import sys

import numpy as np
import pytest

from inos.primitives.bls import BlsError, choice, compute_secret, get_bls, get_native, get_reference
from inos.primitives.votes import make_possession_message

CURVE_ORDER = 52435875175126190479447740508185965837690552500527637822603658699938581184513
# From the hash-to-curve and signature drafts' implementations (Ethereum's consensus test vectors, `sign`).
KNOWN_SECRET = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
KNOWN_KEY = bytes.fromhex(
    "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a"
)


def make_draws(rng: np.random.Generator) -> tuple[list[bytes], bytes, list[bytes]]:
    """Return three random secrets, a message, and the native signatures."""
    secrets = [compute_secret(rng.bytes(32)) for _ in range(3)]
    message = rng.bytes(int(rng.integers(1, 100)))
    return secrets, message, [get_bls().sign(secret, message) for secret in secrets]


def make_points_outside_the_group() -> tuple[bytes, bytes]:
    """Return a key and a signature that are on their curves but not in the subgroups of prime order."""
    get_reference()  # it tames py_ecc's import
    from py_ecc.bls.g2_primitives import G1_to_pubkey, G2_to_signature, subgroup_check
    from py_ecc.bls.point_compression import decompress_G1, decompress_G2

    x = 1
    while True:
        try:
            point = decompress_G1((1 << 383) + x)
        except ValueError:
            x += 1
            continue
        if not subgroup_check(point):
            break
        x += 1
    key = bytes(G1_to_pubkey(point))
    x = 1
    while True:
        try:
            twisted = decompress_G2(((1 << 383) + 0, x))
        except ValueError:
            x += 1
            continue
        if not subgroup_check(twisted):
            return key, bytes(G2_to_signature(twisted))
        x += 1


def list_malformed(good: bytes, outside: bytes) -> list[bytes]:
    size = len(good)
    flipped = bytes([good[0] ^ 0x20]) + good[1:]
    return [
        b"",
        good[:-1],
        good + b"\0",
        bytes(size),
        b"\xff" * size,
        b"\xc0" + bytes(size - 1),  # infinity
        b"\xe0" + bytes(size - 1),  # infinity with a sign
        b"\xc0" + bytes(size - 2) + b"\1",  # infinity with a rest
        bytes([good[0] & 0x7F]) + good[1:],  # no flag of compression
        b"\x9a" + b"\xff" * (size - 1),  # a coordinate above the field's order
        b"\x80" + bytes(size - 2) + b"\2",  # hardly on the curve
        flipped,  # the point's negative
        outside,
    ]


def test_native_backend_is_installed_for_developers() -> None:
    assert get_native() is not None
    assert get_bls().name == "arkworks"


def test_known_key_and_draft_key_generation() -> None:
    for backend in (get_bls(), get_reference()):
        assert backend.compute_public_key(KNOWN_SECRET) == KNOWN_KEY
    from py_ecc.bls.ciphersuites import G2ProofOfPossession

    assert int.from_bytes(compute_secret(b"a" * 32), "big") == G2ProofOfPossession.KeyGen(b"a" * 32)
    with pytest.raises(BlsError) as short:
        compute_secret(b"a" * 31)
    assert short.value.code == "bad-secret"


def test_both_backends_make_the_same_bytes(rng: np.random.Generator) -> None:
    native, reference = get_bls(), get_reference()
    secrets, message, signatures = make_draws(rng)
    for secret, signature in zip(secrets, signatures, strict=True):
        assert reference.compute_public_key(secret) == native.compute_public_key(secret)
        assert reference.sign(secret, message) == signature
    assert reference.prove_possession(secrets[0], b"bound") == native.prove_possession(secrets[0], b"bound")
    assert reference.aggregate(signatures) == native.aggregate(signatures)


def test_both_backends_accept_and_refuse_alike(rng: np.random.Generator) -> None:
    secrets, message, signatures = make_draws(rng)
    native = get_bls()
    keys = [native.compute_public_key(secret) for secret in secrets]
    whole, part = native.aggregate(signatures), native.aggregate(signatures[:2])
    bound = make_possession_message(keys[0], b"\1" * 20, 77)
    assert bound == keys[0] + b"\1" * 20 + b"\x4d\0\0\0"
    proof = native.prove_possession(secrets[0], bound)
    for backend in (native, get_reference()):
        assert backend.is_aggregate_signed(keys, message, whole)
        assert not backend.is_aggregate_signed(keys, message, part)
        assert not backend.is_aggregate_signed([], message, whole)
        assert backend.is_signed(keys[0], message, signatures[0])
        assert not backend.is_signed(keys[1], message, signatures[0])
        assert backend.is_possession_proven(keys[0], bound, proof)
        assert not backend.is_possession_proven(keys[1], bound, proof)
        for other in (
            make_possession_message(keys[0], b"\2" * 20, 77),
            make_possession_message(keys[0], b"\1" * 20, 78),
        ):
            assert not backend.is_possession_proven(keys[0], other, proof)
        # A vote over the same bytes is no proof: the domains differ.
        assert not backend.is_possession_proven(keys[0], bound, native.sign(secrets[0], bound))


@pytest.mark.parametrize("name", ["native", "reference"])
def test_malformed_points_are_refused(name: str, rng: np.random.Generator) -> None:
    backend = get_bls() if name == "native" else get_reference()
    secrets, message, signatures = make_draws(rng)
    key = backend.compute_public_key(secrets[0])
    outside_key, outside_signature = make_points_outside_the_group()
    for bad in [*list_malformed(key, outside_key)[:-2], outside_key]:
        assert not backend.is_key_valid(bad), bad.hex()
        assert not backend.is_signed(bad, message, signatures[0]), bad.hex()
        assert not backend.is_aggregate_signed([key, bad], message, signatures[0]), bad.hex()
    for bad in [*list_malformed(signatures[0], outside_signature)[:-2], outside_signature]:
        assert not backend.is_signed(key, message, bad), bad.hex()
        with pytest.raises(BlsError) as refused:
            backend.aggregate([signatures[0], bad])
        assert refused.value.code == "bad-point"
    flipped = list_malformed(signatures[0], b"")[-2]
    assert not backend.is_signed(key, message, flipped)


@pytest.mark.parametrize("name", ["native", "reference"])
def test_keys_that_cancel_out_sign_nothing(name: str) -> None:
    """A key and its negative add up to infinity, under which infinity would sign every message."""
    backend = get_bls() if name == "native" else get_reference()
    key = backend.compute_public_key(KNOWN_SECRET)
    negative = bytes([key[0] ^ 0x20]) + key[1:]
    assert backend.is_key_valid(negative)
    assert not backend.is_aggregate_signed([key, negative], b"x", b"\xc0" + bytes(95))
    assert not backend.is_aggregate_signed([key, negative], b"x", backend.sign(KNOWN_SECRET, b"x"))


@pytest.mark.parametrize("secret", [bytes(32), CURVE_ORDER.to_bytes(32, "big"), b"\1" * 31, b"\1" * 33])
def test_secrets_out_of_range_are_refused(secret: bytes) -> None:
    for backend in (get_bls(), get_reference()):
        for call in (
            backend.compute_public_key,
            lambda s, b=backend: b.prove_possession(s, b"m"),
            lambda s, b=backend: b.sign(s, b"m"),
        ):
            with pytest.raises(BlsError) as refused:
                call(secret)
            assert refused.value.code == "bad-secret"


def test_without_the_native_library_the_reference_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "get_native", lambda: None)
    assert choice.get_bls().name == "py_ecc"


def test_the_reference_leaves_the_recursion_limit_alone() -> None:
    """py_ecc raises it to 100,000, and then deeply nested JSON ends the process."""
    code = "import sys; from inos.primitives.bls import get_reference; get_reference(); print(sys.getrecursionlimit())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert int(told.stdout) == 1000
