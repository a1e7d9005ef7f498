"""The model that a federation trains: named layers, as one file whose id stands for all of its weights."""

from collections.abc import Mapping
from math import prod
from typing import Annotated, Any, Final

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import FRACTION_BITS
from inos.primitives import codec
from inos.primitives.errors import CodecError
from inos.work.files import compute_file_id

MAX_LAYERS: Final = 4096
MAX_ENTRIES: Final = 1 << 28
MAX_MODEL_BYTES: Final = 1 << 31
TRAINED: Final = ("float32", "float64")
"""Layers of these types are trained. Layers of integers, such as counters, stay as they are."""
KINDS: Final = "bifu"

Size = Annotated[int, Meta(ge=0, le=MAX_ENTRIES)]


class StoredLayer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One layer in a file: its name, its type as numpy calls it, its sizes, its entries with the lowest byte first."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    dtype: Annotated[str, Meta(max_length=16)]
    sizes: Annotated[tuple[Size, ...], Meta(max_length=16)]
    data: bytes


class StoredModel(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """All layers of a model in a file."""

    layers: Annotated[tuple[StoredLayer, ...], Meta(min_length=1, max_length=MAX_LAYERS)]


class Model:
    """Holds the layers of a model, in order.

    Args:
        layers: finite floats of 32 or 64 bits, or integers, by name.

    Raises:
        LearnError: "bad-model".
    """

    def __init__(self, layers: Mapping[str, NDArray[Any]]) -> None:
        self.layers = {name: np.ascontiguousarray(each) for name, each in layers.items()}
        for name, each in self.layers.items():
            _check_layer(name, each)
        self.trained = [name for name, each in self.layers.items() if each.dtype.name in TRAINED]
        if not self.trained:
            raise LearnError("bad-model", f"none of the model's {len(self.layers)} layers holds floats")
        self.data = _encode(self.layers)
        self.id = bytes(compute_file_id(self.data))

    @property
    def sizes(self) -> list[int]:
        """Return how many entries each trained layer has."""
        return [self.layers[name].size for name in self.trained]

    def list_trained(self) -> list[NDArray[np.float64]]:
        """Return the entries of each trained layer, as one row."""
        return [self.layers[name].reshape(-1).astype(np.float64) for name in self.trained]

    def change(self, step: NDArray[np.int64]) -> "Model":
        """Return the model after a step, which has an entry in fixed point for each entry of the trained layers.

        Raises:
            LearnError: "bad-model": an entry becomes infinite.
        """
        layers, at = dict(self.layers), 0
        for name in self.trained:
            old = self.layers[name]
            part = step[at : at + old.size].astype(np.float64) * 2.0**-FRACTION_BITS
            with np.errstate(over="ignore"):
                layers[name] = (old.reshape(-1).astype(np.float64) + part).astype(old.dtype).reshape(old.shape)
            at += old.size
        return Model(layers)

    def compare(self, other: "Model") -> str:
        """Return in what the layers of another model differ, by name, type or sizes; "" if in nothing."""
        mine, others = _describe(self.layers), _describe(other.layers)
        if len(mine) != len(others):
            return f"{len(others)} layers instead of {len(mine)}"
        pairs = zip(mine, others, strict=True)
        return next((f"{theirs} instead of {own}" for own, theirs in pairs if own != theirs), "")


def read_model(data: bytes, name: str) -> Model:
    """Read a model from its file.

    Raises:
        LearnError: "bad-model".
    """
    try:
        stored = codec.decode(StoredModel, data, limit=MAX_MODEL_BYTES)
        layers = {each.name: _decode_layer(each) for each in stored.layers}
    except (CodecError, ValueError, TypeError) as error:
        raise LearnError("bad-model", f"{name} is no model: {error}") from error
    if len(layers) != len(stored.layers):
        raise LearnError("bad-model", f"{name} has two layers of one name")
    return Model(layers)


def _encode(layers: Mapping[str, NDArray[Any]]) -> bytes:
    stored = []
    for name, each in layers.items():
        little = each.astype(each.dtype.newbyteorder("<"), copy=False)
        stored.append(StoredLayer(name, each.dtype.name, each.shape, little.tobytes()))
    return codec.encode(StoredModel(tuple(stored)))


def _decode_layer(layer: StoredLayer) -> NDArray[Any]:
    dtype = np.dtype(layer.dtype)
    if dtype.kind not in KINDS or dtype.name != layer.dtype:
        raise ValueError(f"layer {layer.name} holds {layer.dtype}")
    if len(layer.data) != prod(layer.sizes) * dtype.itemsize:
        raise ValueError(f"layer {layer.name} has {len(layer.data)} bytes")
    found = np.frombuffer(layer.data, dtype.newbyteorder("<")).reshape(layer.sizes)
    return found.astype(dtype)


def _check_layer(name: str, layer: NDArray[Any]) -> None:
    is_float = layer.dtype.kind == "f"
    if layer.dtype.kind not in KINDS or (is_float and layer.dtype.name not in TRAINED):
        raise LearnError(
            "bad-model", f"layer {name} holds {layer.dtype}; layers hold {' or '.join(TRAINED)}, or integers"
        )
    if is_float and not np.isfinite(layer).all():
        wrong = int(np.flatnonzero(~np.isfinite(layer.reshape(-1)))[0])
        raise LearnError("bad-model", f"entry {wrong} of layer {name} is {layer.reshape(-1)[wrong]}")


def _describe(layers: Mapping[str, NDArray[Any]]) -> list[str]:
    return [f"{name} {each.dtype.name}{list(each.shape)}" for name, each in layers.items()]
