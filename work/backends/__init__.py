"""The kernels behind `inos.work.mine`, chosen by name.

`base` is the interface, `numpy_backend` the reference, which runs everywhere, and `native` has the C kernels,
one backend each. `_BACKENDS` lists the best first; "auto" is the first that can run here. `gpu` and `webgpu` run on
graphics cards: they are used if they are named, or if `choice` measures that one is faster, since their libraries take
seconds to load. A backend knows operands, noise and targets; it does not know seals, witnesses or blocks.
"""

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from inos.primitives.errors import InosError
from inos.work.backends.base import Backend, Drawn, OnWin, Slice
from inos.work.backends.card import CardBackend, CardFailed
from inos.work.backends.gpu import open_gpu
from inos.work.backends.native.backend import NativeBackend
from inos.work.backends.native.library import KERNELS
from inos.work.backends.numpy_backend import NumpyBackend
from inos.work.backends.webgpu import open_webgpu

__all__ = [
    "AUTO",
    "CARDS",
    "Backend",
    "BackendInfo",
    "CardFailed",
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
CARDS: Final[tuple[CardBackend, ...]] = (CardBackend("gpu", open_gpu), CardBackend("webgpu", open_webgpu))
"""What runs on graphics cards, the fastest first. "auto" is none of them."""


class InvalidBackend(InosError):
    """There is no backend of that name, or it cannot run here."""


class BackendInfo(Struct, frozen=True):
    """One backend, as it is shown to a user."""

    name: str
    is_available: bool
    reason: str
    """The reason why it is not available, or ""."""
    device: str = ""
    """The graphics card that it runs on."""


def list_backends() -> list[BackendInfo]:
    """Return all backends, best first."""
    return [_describe(backend) for backend in (*CARDS, *_BACKENDS)]


def _describe(backend: Backend) -> BackendInfo:
    obstacle = backend.get_obstacle()
    device = backend.card.name if isinstance(backend, CardBackend) and not obstacle else ""
    return BackendInfo(backend.name, not obstacle, obstacle, device)


def get_backend(name: str) -> Backend:
    """Return the backend of that name, or for "auto" the best one that can run here.

    Raises:
        InvalidBackend: "unknown-backend" or "backend-unavailable", naming those that can be used.
    """
    named: Iterable[Backend] = (backend for backend in (*_BACKENDS, *CARDS) if backend.name == name)
    reasons = []
    for backend in _BACKENDS if name == AUTO else named:
        obstacle = backend.get_obstacle()
        if not obstacle:
            return backend
        reasons.append(obstacle)
    usable = [info.name for info in list_backends() if info.is_available]
    hint = f"available: {', '.join([AUTO, *usable])}"
    if reasons:
        raise InvalidBackend("backend-unavailable", f"{name} cannot run here: {reasons[0]}", hint=hint)
    raise InvalidBackend("unknown-backend", f"there is no backend {name!r}", hint=hint)
