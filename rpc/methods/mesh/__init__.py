"""mesh_*: the matrices that this node stores and serves by id."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.mesh import matrices, rows, store

METHODS: Final[dict[str, Method]] = collect_methods(matrices, rows, store)
