"""Training data is pairs of inputs and targets, or one long text of tokens; it is checked before anything runs."""

from typing import Any, Final, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from inos.learn.errors import LearnError
from inos.learn.fixed import ACTIVATION_BITS, ACTIVATION_LIMIT, quantise_floats

MAX_EXAMPLES: Final = 1 << 28
MAX_BITS: Final = ACTIVATION_BITS


class Tokens(Struct, frozen=True, eq=False):
    """Holds a text of token numbers; an example is a window of it, and its target the same window one token later.

    Attributes:
        tokens: 1-D, integers from 0 on.
        window: tokens that the module reads at once.
    """

    tokens: Any
    window: int


class Table(Struct, frozen=True, eq=False):
    """Holds examples as a matrix of integers, one row for each.

    Attributes:
        sizes: of one example; none for a single number.
        bits: fraction bits of the entries, or None for integers that stand for themselves.
    """

    rows: NDArray[np.int64]
    sizes: tuple[int, ...]
    bits: int | None


class Pairs(Struct, frozen=True, eq=False):
    """Holds inputs and targets, one row of each for an example."""

    inputs: Table
    targets: Table

    @property
    def count(self) -> int:
        return len(self.inputs.rows)


class Text(Struct, frozen=True, eq=False):
    """Holds tokens as one row of integers."""

    tokens: NDArray[np.int64]
    window: int

    @property
    def count(self) -> int:
        """Return how many windows with a target there are."""
        return len(self.tokens) - self.window


Data: TypeAlias = Pairs | Text


def read_data(data: Any) -> Data:
    """Return training data as integers: from (inputs, targets), or from `Tokens`.

    Raises:
        LearnError: "bad-data" names the first entry that is wrong.
    """
    if isinstance(data, Tokens):
        return _read_tokens(data)
    if not isinstance(data, tuple) or len(data) != 2:
        raise LearnError(
            "bad-data", f"{type(data).__name__} is no training data",
            hint="give (inputs, targets), or inos.learn.Tokens(tokens, window)",
        )  # fmt: skip
    inputs, targets = read_table(data[0], "inputs"), read_table(data[1], "targets")
    if len(inputs.rows) != len(targets.rows):
        raise LearnError("bad-data", f"there are {len(inputs.rows)} inputs and {len(targets.rows)} targets")
    return Pairs(inputs, targets)


def _read_tokens(data: Tokens) -> Text:
    tokens = to_numpy(data.tokens, "tokens")
    if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
        raise LearnError("bad-data", f"tokens are {tokens.shape} of {tokens.dtype}", hint="give one row of integers")
    if not 1 <= data.window < len(tokens):
        raise LearnError(
            "bad-data", f"a window of {data.window} tokens and a target need more than {len(tokens)} tokens",
            hint="give a longer text, or a smaller window of at least 1",
        )  # fmt: skip
    if int(tokens.min()) < 0:
        raise LearnError("bad-data", f"tokens[{int(tokens.argmin())}] is {tokens.min()}; tokens are numbers from 0 on")
    return Text(tokens.astype(np.int64), data.window)


def read_table(given: ArrayLike, name: str) -> Table:
    """Return an array as rows of integers: floats in fixed point, with as few bits as they need.

    Raises:
        LearnError: "bad-data".
    """
    array = to_numpy(given, name)
    if not array.ndim or not 1 <= len(array) <= MAX_EXAMPLES or not array.size:
        raise LearnError("bad-data", f"{name} are {array.shape}: there are no examples", hint="give one row for each")
    sizes, rows = array.shape[1:], array.reshape(len(array), -1)
    if array.dtype.kind in "iub":
        return Table(rows.astype(np.int64), sizes, None)
    if array.dtype.kind != "f":
        raise LearnError(
            "bad-data", f"{name} hold {array.dtype}", hint="give floats, or integers for tokens and labels"
        )
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = [int(i) for i in wrong[0]]
        raise LearnError("bad-data", f"{name}{place} is {array[tuple(wrong[0])]}", hint="remove or fill such examples")
    top = float(np.abs(array).max())
    if top > ACTIVATION_LIMIT >> ACTIVATION_BITS:
        raise LearnError(
            "bad-data", f"{name} have entries up to {top:g}; training works on -64 .. 64",
            hint="scale them: a deviation of 1 is usual",
        )  # fmt: skip
    bits = _find_bits(rows)
    return Table(quantise_floats(rows, bits, ACTIVATION_LIMIT), sizes, bits)


def _find_bits(rows: NDArray[Any]) -> int:
    """Return the fewest fraction bits that hold all entries exactly, or as many as activations have."""
    for bits in range(MAX_BITS):
        scaled = rows.astype(np.float64) * 2.0**bits
        if np.array_equal(scaled, np.round(scaled)):
            return bits
    return MAX_BITS


def to_numpy(given: Any, name: str) -> NDArray[Any]:
    """Return an array of numpy or a tensor of torch as an array.

    Raises:
        LearnError: "bad-data".
    """
    try:
        array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    except (ValueError, TypeError) as error:
        raise LearnError("bad-data", f"{name} are no array: {error}") from None
    if np.ma.isMaskedArray(given):
        raise LearnError("bad-data", f"{name} are masked", hint="fill the masked entries first: a.filled(0)")
    return array


def check_labels(labels: NDArray[np.int64], classes: int) -> None:
    """Check that every label is a class of the module.

    Raises:
        LearnError: "bad-labels" names the first other one.
    """
    wrong = np.argwhere((labels < 0) | (labels >= classes))
    if len(wrong):
        place = tuple([int(i) for i in wrong[0]])
        raise LearnError(
            "bad-labels", f"the label of example {place[0]} is {labels[place]}; the module has {classes} classes",
            hint=f"labels are 0 .. {classes - 1}",
        )  # fmt: skip
