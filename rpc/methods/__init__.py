"""All methods by name; one package per namespace. `inos.rpc.method.method` turns a typed function into a method."""

from typing import Final

from inos.rpc.method import Method
from inos.rpc.methods import chain, finality, job, light, mesh, miner, net, node, pool, state, subscription, tx, watch

ALL_METHODS: Final[dict[str, Method]] = {
    name: each
    for namespace in (node, net, chain, finality, state, light, tx, job, mesh, miner, pool, watch, subscription)
    for name, each in namespace.METHODS.items()
}
