"""Many signatures are checked in one call, with the answer of the single check."""

import pytest

from inos.primitives import signatures
from inos.primitives.native.library import load
from inos.primitives.signatures import are_signatures_valid, compute_public_key, is_signature_valid, sign

SECRETS = [number.to_bytes(32, "big") for number in range(1, 6)]
KEYS = [compute_public_key(secret) for secret in SECRETS]
DIGESTS = [bytes([number]) * 32 for number in range(5)]
SIGNED = [sign(secret, digest) for secret, digest in zip(SECRETS, DIGESTS, strict=True)]
OFF_THE_CURVE = bytes(31) + b"\x05"


@pytest.fixture(params=["native", "one by one"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "one by one":
        monkeypatch.setattr(signatures, "load", lambda: None)
    elif load() is None:
        pytest.skip("the extension was not compiled")


@pytest.mark.usefixtures("way")
def test_right_signatures_are_valid() -> None:
    assert are_signatures_valid(KEYS, DIGESTS, SIGNED)
    assert are_signatures_valid([], [], [])


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("place", range(5))
def test_one_wrong_signature_is_found(place: int) -> None:
    flipped = bytearray(SIGNED[place])
    flipped[40] ^= 1
    for values, wrong in ((SIGNED, bytes(flipped)), (DIGESTS, bytes(31) + b"\x77"), (KEYS, OFF_THE_CURVE)):
        changed = [*values[:place], wrong, *values[place + 1 :]]
        keys, digests, signed = (changed if values is each else each for each in (KEYS, DIGESTS, SIGNED))
        assert not is_signature_valid(keys[place], digests[place], signed[place])
        assert not are_signatures_valid(keys, digests, signed)


def test_installed_coincurve_has_the_functions() -> None:
    assert signatures._find_functions() is not None
