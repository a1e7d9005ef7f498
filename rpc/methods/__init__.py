"""All methods by name, one module a namespace. A method is a typed function made one by `inos.rpc.method.method`."""

from typing import Final

from inos.rpc.method import Method
from inos.rpc.methods import (
    blocks,
    certificate,
    chain,
    finality,
    job,
    light,
    live,
    market,
    mesh,
    miner,
    net,
    node,
    record,
    rows,
    standing,
    state,
    store,
    template,
    tx,
    watch,
    work,
)

ALL_METHODS: Final[dict[str, Method]] = {
    one.name: one
    for module in (
        *(node, net, chain, blocks, certificate, finality, work, state, standing, light, tx, job, record, market),
        *(mesh, rows, store, miner, template, watch, live),
    )
    for one in vars(module).values()
    if isinstance(one, Method)
}
