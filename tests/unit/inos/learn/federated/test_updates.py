"""Updates: what quantising loses is sent later, and everything that is wrong with one is said."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import FRACTION_BITS
from inos.learn.federated.updates import (
    Layer,
    RefusedUpdate,
    Terms,
    Update,
    check_terms,
    make_update,
    quantise,
    read_update,
    sign_update,
)
from inos.primitives import codec
from support.federations import MEMBERS, NAMES, SIZES, draw_changes

KEY, OTHER = MEMBERS[:2]
TERMS = Terms(run=b"r" * 32, round=3, base=b"b" * 32, bits=16)
CHANGE = draw_changes(1)[KEY.address]


def make(terms: Terms = TERMS) -> bytes:
    return make_update(terms, KEY.address, NAMES, np.split(CHANGE, [SIZES[0]]))[0]


def read(data: bytes, terms: Terms = TERMS, sender: bytes | None = None, proof: str | None = None) -> Any:
    address = KEY.address if sender is None else sender
    return read_update(terms, SIZES, address, data, sign_update(KEY, terms, data) if proof is None else proof)


@pytest.mark.parametrize(("bits", "bound"), [(16, 1 / 32767), (7, 1 / 63)])
def test_an_update_is_read_as_it_was_made(bits: int, bound: float) -> None:
    terms = replace(TERMS, bits=bits)
    found = read(make(terms), terms) * 2.0**-FRACTION_BITS
    for had, came in zip(np.split(CHANGE, [SIZES[0]]), np.split(found, [SIZES[0]]), strict=True):
        assert np.abs(had - came).max() <= bound * np.abs(had).max()


@given(st.lists(st.floats(-8000, 8000), min_size=1, max_size=40), st.sampled_from([7, 16]), st.floats(0.01, 1))
def test_what_is_lost_is_exactly_what_was_not_sent(values: list[float], bits: int, keep: float) -> None:
    change = np.array(values)
    count = Terms(b"", 1, b"", bits, keep).count_kept(change.size)
    layer, rest = quantise(change, bits, count)
    update = Update(b"r" * 32, 3, b"b" * 32, KEY.address, 7 if bits == 7 else 16, (layer,))
    terms, data = Terms(b"r" * 32, 3, b"b" * 32, bits, keep), codec.encode(update)
    row = read_update(terms, [change.size], KEY.address, data, sign_update(KEY, terms, data))
    assert (rest == change - row * 2.0**-FRACTION_BITS).all()
    assert np.count_nonzero(row) <= count


@pytest.mark.parametrize(("bits", "keep"), [(7, 1.0), (16, 0.1), (7, 0.05)])
def test_error_feedback_sends_everything_in_the_end(bits: int, keep: float) -> None:
    terms = replace(TERMS, bits=bits, keep=keep)
    random = np.random.default_rng(3)
    changes = random.normal(size=(60, sum(SIZES)))
    rest, sent = np.zeros(sum(SIZES)), np.zeros(sum(SIZES))
    for change in changes:
        data, rests = make_update(terms, KEY.address, NAMES, np.split(change + rest, [SIZES[0]]))
        rest = np.concatenate(rests)
        sent += read(data, terms) * 2.0**-FRACTION_BITS
    assert np.abs(changes.sum(0) - sent - rest).max() < 1e-9
    lost = np.linalg.norm(rest) / np.linalg.norm(changes.sum(0))
    assert lost < (1 if keep < 1 else 0.01)


def test_zeros_are_an_update() -> None:
    layer, rest = quantise(np.zeros(5), 7, 5)
    assert layer.values == bytes(5)
    assert not rest.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_change_that_is_not_finite_is_not_sent(bad: float) -> None:
    change = CHANGE.copy()
    change[SIZES[0] + 4] = bad
    with pytest.raises(LearnError, match="layer bias: entry 4 is") as found:
        make_update(TERMS, KEY.address, NAMES, np.split(change, [SIZES[0]]))
    assert found.value.code == "not-finite"


@pytest.mark.parametrize("bits", [7, 16])
def test_a_change_that_is_too_large_is_not_sent(bits: int) -> None:
    with pytest.raises(LearnError, match="is more than") as found:
        quantise(np.array([1e9]), bits, 1)
    assert found.value.code == "change-too-large"


def change(**fields: Any) -> Callable[[Update], Update]:
    return lambda update: replace(update, **fields)


def change_layer(**fields: Any) -> Callable[[Update], Update]:
    return lambda update: replace(update, layers=(replace(update.layers[0], **fields), *update.layers[1:]))


@pytest.mark.parametrize(
    ("alter", "code", "message"),
    [
        (change(run=b"x" * 32), "wrong-run", "the update's run is 7878"),
        (change(round=2), "wrong-round", "round is 2, and it should be 3"),
        (change(base=b"x" * 32), "wrong-base", "first model is 7878"),
        (change(sender=OTHER.address), "wrong-sender", f"account is {OTHER.address.hex()}"),
        (change(bits=7), "wrong-bits", "bits is 7, and it should be 16"),
        (change(bits=8), "not-an-update", "Invalid enum value 8"),
        (change(layers=()), "wrong-layers", "0 layers; the model has 2"),
        (lambda update: replace(update, layers=update.layers[:1]), "wrong-layers", "1 layers; the model has 2"),
        (lambda update: replace(update, layers=update.layers[::-1]), "wrong-size", "layer 0 has 200 bytes for all"),
        (change_layer(values=b"\0" * 4802), "wrong-size", "4802 bytes for all of its entries; 2400 of 2400"),
        (change_layer(places=b"\0" * 400), "wrong-size", "for some of its entries"),
        (change_layer(values=b"\x00\x80" * 2400), "bad-value", "layer 0 has an entry beyond 32767"),
        (change_layer(exponent=8), "not-an-update", "Expected `int` <= 7"),
        (change_layer(exponent=-33), "not-an-update", "Expected `int` >= -32"),
        (change_layer(exponent=2**40), "not-an-update", "Expected `int` <= 7"),
        (change_layer(exponent=float("nan")), "not-an-update", "Expected `int`, got `float`"),
    ],
)
def test_what_is_wrong_with_an_update_is_said(alter: Callable[[Update], Update], code: str, message: str) -> None:
    data = codec.encode(alter(codec.decode(Update, make(), limit=1 << 20)))
    with pytest.raises(RefusedUpdate) as found:
        read(data)
    assert found.value.code == code
    assert message in found.value.message


SPARSE = replace(TERMS, keep=0.001)


@pytest.mark.parametrize(
    ("places", "code"),
    [
        ([0, 1, 1], "bad-places"),
        ([2, 1, 0], "bad-places"),
        ([0, 1, 2400], "bad-places"),
        ([0, 1], "bad-places"),
        ([0, 1, 2**32 - 1], "bad-places"),
        (None, "wrong-size"),
        ([0, 5, 2399], ""),
    ],
)
def test_places_ascend_within_the_layer(places: list[int] | None, code: str) -> None:
    given = None if places is None else np.array(places, "<u4").tobytes()
    update = codec.decode(Update, make(SPARSE), limit=1 << 20)
    layers = (Layer(0, given, np.array([1, 2, 3], "<i2").tobytes()), update.layers[1])
    data = codec.encode(replace(update, layers=layers))
    if not code:
        assert np.flatnonzero(read(data, SPARSE)[:2400]).tolist() == places
        return
    with pytest.raises(RefusedUpdate) as found:
        read(data, SPARSE)
    assert found.value.code == code


def test_a_huge_update_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(RefusedUpdate, match=r"has 100000000 bytes, and at most \d+ are possible") as found:
        read(bytes(100_000_000))
    assert found.value.code == "update-too-large"


@pytest.mark.parametrize("data", [b"", b"\x96", make()[:-1], make() + b"\0", b"\xff" * 100])
def test_bytes_that_are_no_update_are_refused(data: bytes) -> None:
    with pytest.raises(RefusedUpdate) as found:
        read(data)
    assert found.value.code == "not-an-update"


@pytest.mark.parametrize("proof", ["", "00" * 96, sign_update(OTHER, TERMS, make()), sign_update(KEY, TERMS, b"other")])
def test_a_wrong_signature_is_refused(proof: str) -> None:
    with pytest.raises(RefusedUpdate) as found:
        read(make(), proof=proof)
    assert found.value.code == "bad-signature"


def test_an_update_cannot_be_replayed_under_another_account() -> None:
    with pytest.raises(RefusedUpdate) as found:
        read_update(TERMS, SIZES, OTHER.address, make(), sign_update(OTHER, TERMS, make()))
    assert found.value.code == "wrong-sender"


def test_a_signature_is_good_for_one_round_of_one_run() -> None:
    data, proof = make(), sign_update(KEY, TERMS, make())
    assert read(data, proof=proof).any()
    for terms, code in ((replace(TERMS, round=4), "wrong-round"), (replace(TERMS, run=b"x" * 32), "wrong-run")):
        with pytest.raises(RefusedUpdate) as found:
            read(data, terms, proof=proof)
        assert found.value.code == code


@given(st.binary(max_size=400))
def test_random_bytes_end_in_a_refusal(data: bytes) -> None:
    with pytest.raises(RefusedUpdate):
        read(data)


@pytest.mark.parametrize(("bits", "keep"), [(8, 1.0), (16, 0.0), (16, 1.5), (7, float("nan"))])
def test_terms_that_cannot_be_are_refused(bits: int, keep: float) -> None:
    with pytest.raises(LearnError) as found:
        check_terms(bits, keep)
    assert found.value.code == "bad-terms"
