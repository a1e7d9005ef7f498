"""What a client sends: how its training changed the model, in integers of 7 or 16 bits, signed by its account.

An entry is a whole number times a power of two that its layer has in common. What is lost by rounding, or by sending
the largest entries only, is kept by the client and added to its next update (error feedback).

An update names its run, its round, the model that it begins with and its account. The account signs the id that the
update has in the mesh, so no part of it can be used elsewhere.
"""

from collections.abc import Sequence
from math import ceil, frexp
from typing import Annotated, Final, Literal

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import FRACTION_BITS
from inos.primitives import codec
from inos.primitives.errors import CodecError, InosError
from inos.primitives.matrices import Hash32
from inos.primitives.units import ADDRESS_BYTES, Address
from inos.wallet.errors import WalletError
from inos.wallet.keys import Key
from inos.wallet.messages import check_message, sign_message
from inos.work.files import compute_file_id

LIMITS: Final = {7: 63, 16: 32767}
"""The largest number that an entry may be, by bits."""
MIN_EXPONENT: Final = -FRACTION_BITS
MAX_EXPONENT: Final = 7
MAX_ROUND: Final = 1 << 31
PLACE_BYTES: Final = 4
ROOM_BYTES: Final = 1024
LAYER_ROOM_BYTES: Final = 32

Floats = NDArray[np.float64]


class RefusedUpdate(InosError):
    """An update cannot be used. It is neither stored nor paid, and the round goes on without it."""


class Layer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The change of one layer: `values` times two to the power of `exponent`.

    Args:
        places: which entries `values` are, ascending, as uint32; None if they are all.
        values: int8 or int16. All numbers have the lowest byte first.
    """

    exponent: Annotated[int, Meta(ge=MIN_EXPONENT, le=MAX_EXPONENT)]
    places: bytes | None
    values: bytes


class Update(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One client's change of the model in one round.

    Args:
        base: the id of the model that it begins with.
        sender: the address of the account that signs it.
        layers: one for each trained layer of the model.
    """

    run: Hash32
    round: Annotated[int, Meta(ge=1, le=MAX_ROUND)]
    base: Hash32
    sender: Annotated[bytes, Meta(min_length=ADDRESS_BYTES, max_length=ADDRESS_BYTES)]
    bits: Literal[7, 16]
    layers: tuple[Layer, ...]


class Terms(Struct, frozen=True):
    """What all updates of a round have in common.

    Args:
        bits: 7 or 16.
        keep: the share of entries of each layer that is sent, the largest ones; 1 sends all.
    """

    run: bytes
    round: int
    base: bytes
    bits: int
    keep: float = 1.0

    def count_kept(self, size: int) -> int:
        """Return how many entries of a layer of this size are sent."""
        return ceil(size * self.keep)

    def compute_max_bytes(self, sizes: Sequence[int]) -> int:
        """Return the most bytes that an update of layers of these sizes takes."""
        width = (1 if self.bits == 7 else 2) + (PLACE_BYTES if self.keep < 1 else 0)
        return ROOM_BYTES + sum(LAYER_ROOM_BYTES + width * self.count_kept(size) for size in sizes)


def check_terms(bits: int, keep: float) -> None:
    """Check what a federation asks of updates.

    Raises:
        LearnError: "bad-terms".
    """
    if bits not in LIMITS:
        raise LearnError("bad-terms", f"entries have 7 or 16 bits, not {bits}")
    if not 0 < keep <= 1:
        raise LearnError("bad-terms", f"the share of entries that are sent is above 0 and at most 1, not {keep}")


def quantise(change: Floats, bits: int, count: int) -> tuple[Layer, Floats]:
    """Return a layer's change as integers, and what is lost by that.

    Args:
        change: one row, finite.
        count: how many entries are kept, the largest ones; of equal ones the first.

    Raises:
        LearnError: "not-finite", "change-too-large".
    """
    if not np.isfinite(change).all():
        wrong = int(np.flatnonzero(~np.isfinite(change))[0])
        raise LearnError(
            "not-finite", f"entry {wrong} is {change[wrong]}", hint="train with a smaller rate, and look at the data"
        )
    limit, most = LIMITS[bits], float(np.abs(change).max(initial=0.0))
    fraction, exponent = frexp(most / limit)
    exponent = max(MIN_EXPONENT, exponent - (fraction == 0.5))
    if exponent > MAX_EXPONENT:
        raise LearnError(
            "change-too-large", f"a change of {most:g} is more than {bits} bits hold, {limit * 2.0**MAX_EXPONENT:g}",
            hint="train with a smaller rate",
        )  # fmt: skip
    whole = np.clip(np.rint(change * 2.0**-exponent), -limit, limit)
    places = None
    if count < change.size:
        chosen = np.sort(np.argsort(-np.abs(change), kind="stable")[:count])
        dropped = np.ones(change.size, bool)
        dropped[chosen] = False
        whole[dropped] = 0
        places = chosen.astype("<u4").tobytes()
    sent = whole if places is None else whole[chosen]
    values = sent.astype("i1" if bits == 7 else "<i2").tobytes()
    return Layer(int(exponent), places, values), change - whole * 2.0**exponent


def make_update(
    terms: Terms, sender: Address, names: Sequence[str], changes: Sequence[Floats]
) -> tuple[bytes, list[Floats]]:
    """Return the bytes of an update, and what each layer lost by quantising.

    Raises:
        LearnError: "not-finite", "change-too-large", each with the layer.
    """
    layers, rests = [], []
    for name, change in zip(names, changes, strict=True):
        try:
            layer, rest = quantise(change, terms.bits, terms.count_kept(change.size))
        except LearnError as error:
            raise LearnError(error.code, f"layer {name}: {error.message}", hint=error.hint) from error
        layers.append(layer)
        rests.append(rest)
    bits: Literal[7, 16] = 7 if terms.bits == 7 else 16
    return codec.encode(Update(terms.run, terms.round, terms.base, sender, bits, tuple(layers))), rests


def sign_update(key: Key, terms: Terms, data: bytes) -> str:
    """Return the proof that an account made an update."""
    return sign_message(key, _make_text(terms, data))


def read_update(terms: Terms, sizes: Sequence[int], sender: Address, data: bytes, proof: str) -> NDArray[np.int64]:
    """Return an update as one row in fixed point, after everything about it was checked.

    Args:
        sizes: of the model's trained layers.
        sender: the account that it is said to come from.

    Raises:
        RefusedUpdate: "update-too-large", "not-an-update", "wrong-sender", "wrong-run", "wrong-round", "wrong-base",
            "wrong-bits", "wrong-layers", "wrong-size", "bad-places", "bad-value", "bad-signature".
    """
    most = terms.compute_max_bytes(sizes)
    if len(data) > most:
        raise RefusedUpdate("update-too-large", f"the update has {len(data)} bytes, and at most {most} are possible")
    try:
        update = codec.decode(Update, data, limit=most)
    except CodecError as error:
        raise RefusedUpdate("not-an-update", error.message) from error
    _check_names(terms, update, sender)
    if len(update.layers) != len(sizes):
        raise RefusedUpdate("wrong-layers", f"the update has {len(update.layers)} layers; the model has {len(sizes)}")
    rows = [_read_layer(number, *each, terms) for number, each in enumerate(zip(update.layers, sizes, strict=True))]
    try:
        check_message(sender, _make_text(terms, data), proof)
    except WalletError as error:
        raise RefusedUpdate("bad-signature", error.message) from error
    return np.concatenate(rows)


def _check_names(terms: Terms, update: Update, sender: Address) -> None:
    for code, name, had, wanted in (
        ("wrong-sender", "account", update.sender, sender),
        ("wrong-run", "run", update.run, terms.run),
        ("wrong-round", "round", update.round, terms.round),
        ("wrong-base", "first model", update.base, terms.base),
        ("wrong-bits", "number of bits", update.bits, terms.bits),
    ):
        if had != wanted:
            shown = [each.hex() if isinstance(each, bytes) else each for each in (had, wanted)]
            raise RefusedUpdate(code, f"the update's {name} is {shown[0]}, and it should be {shown[1]}")


def _read_layer(number: int, layer: Layer, size: int, terms: Terms) -> NDArray[np.int64]:
    width, limit, count = 1 if terms.bits == 7 else 2, LIMITS[terms.bits], terms.count_kept(size)
    places = b"" if layer.places is None else layer.places
    if (layer.places is None) != (count == size) or len(layer.values) != width * count:
        kind = "all" if layer.places is None else "some"
        raise RefusedUpdate(
            "wrong-size",
            f"layer {number} has {len(layer.values)} bytes for {kind} of its entries; {count} of {size} are asked for",
        )
    values = np.frombuffer(layer.values, "i1" if width == 1 else "<i2").astype(np.int64)
    if np.abs(values).max(initial=0) > limit:
        raise RefusedUpdate("bad-value", f"layer {number} has an entry beyond {limit}")
    values <<= layer.exponent + FRACTION_BITS
    if layer.places is None:
        return values
    if len(places) != PLACE_BYTES * count:
        raise RefusedUpdate("bad-places", f"layer {number} has {len(places)} bytes for the places of {count} entries")
    chosen = np.frombuffer(places, "<u4").astype(np.int64)
    if count and ((np.diff(chosen) <= 0).any() or chosen[-1] >= size):
        raise RefusedUpdate("bad-places", f"the places of layer {number} do not ascend within {size} entries")
    row = np.zeros(size, np.int64)
    row[chosen] = values
    return row


def _make_text(terms: Terms, data: bytes) -> str:
    update = compute_file_id(data).hex()
    return f"INOS federated update {update}, round {terms.round} of run {terms.run.hex()}"
