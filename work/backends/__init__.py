"""The kernels behind `inos.work.mine`, chosen by name.

`base` is the interface, `numpy_backend` the reference, which runs everywhere, and `native` has the C kernels,
one backend each. `_BACKENDS` lists the best first; "auto" is the first that can run here. A backend knows
operands, noise and targets; it does not know seals, witnesses or blocks.
"""

from typing import Final

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.work.backends.base import Backend, Drawn, OnWin, Slice
from inos.work.backends.native.backend import NativeBackend
from inos.work.backends.native.library import KERNELS
from inos.work.backends.numpy_backend import NumpyBackend

__all__ = [
    "AUTO",
    "Backend",
    "BackendInfo",
    "Drawn",
    "InvalidBackend",
    "OnWin",
    "Slice",
    "get_backend",
    "list_backends",
]

AUTO: Final = "auto"
_BACKENDS: Final[tuple[Backend, ...]] = (
    *(NativeBackend(name) for name in KERNELS if name != "portable"),
    NumpyBackend(),
    NativeBackend("portable"),
)
"""The best backend comes first; plain C is slower than numpy's BLAS."""


class InvalidBackend(InosError):
    """There is no backend of that name, or it cannot run here."""


class BackendInfo(Struct, frozen=True):
    """One backend, as it is shown to a user."""

    name: str
    is_available: bool
    reason: str
    """The reason why it is not available, or ""."""


def list_backends() -> list[BackendInfo]:
    """Return all backends, best first."""
    infos = [(backend.name, backend.get_obstacle()) for backend in _BACKENDS]
    return [BackendInfo(name, not obstacle, obstacle) for name, obstacle in infos]


def get_backend(name: str) -> Backend:
    """Return the backend of that name, or for "auto" the best one that can run here.

    Raises:
        InvalidBackend: "unknown-backend" or "backend-unavailable", naming those that can be used.
    """
    usable = [backend for backend in _BACKENDS if not backend.get_obstacle()]
    for backend in usable:
        if name in (AUTO, backend.name):
            return backend
    hint = f"available: {', '.join([AUTO, *(backend.name for backend in usable)])}"
    for backend in _BACKENDS:
        if backend.name == name:
            raise InvalidBackend("backend-unavailable", f"{name} cannot run here: {backend.get_obstacle()}", hint=hint)
    raise InvalidBackend("unknown-backend", f"there is no backend {name!r}", hint=hint)
