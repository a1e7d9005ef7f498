"""All methods by name, one module a namespace. A method is a typed function made one by `rpc.method.method`."""

from typing import Final

from rpc.method import Method
from rpc.methods import (
    chain,
    finality,
    job,
    light,
    market,
    mesh,
    miner,
    net,
    node,
    record,
    rows,
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
        node,
        net,
        chain,
        finality,
        work,
        state,
        light,
        tx,
        job,
        record,
        market,
        mesh,
        rows,
        store,
        miner,
        template,
        watch,
    )
    for one in vars(module).values()
    if isinstance(one, Method)
}
