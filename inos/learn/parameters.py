"""All parameters of a module lie one after the other in one row of weights."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Any, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from inos.learn.fixed import WEIGHT_BITS

Size: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 31)]


class Parameter(Struct, frozen=True, forbid_unknown_fields=True):
    """Says that a parameter lies at entry `first` and the following ones."""

    name: str
    sizes: tuple[Size, ...]
    first: Size


def to_floats(weights: NDArray[Any], parameters: Sequence[Parameter]) -> dict[str, NDArray[np.float32]]:
    """Return each parameter as floats, by its name in the module."""
    row = weights.ravel() / 2.0**WEIGHT_BITS
    return {
        each.name: row[each.first : each.first + prod(each.sizes)].astype(np.float32).reshape(each.sizes)
        for each in parameters
    }
