"""All methods: which of them need the token."""

from inos.rpc.methods import ALL_METHODS


async def test_only_these_methods_are_protected() -> None:
    assert {name for name, method in ALL_METHODS.items() if method.is_protected} == {
        "finality_register",
        "finality_unbond",
        "finality_withdraw",
        "node_snapshot",
        "node_snapshotStatus",
        "miner_status",
        "miner_start",
        "miner_stop",
        "net_provide",
        "net_addresses",
        "net_bans",
        "net_unban",
        "node_stop",
        "watch_status",
        "mesh_pin",
        "mesh_unpin",
        "mesh_drop",
        "mesh_setQuota",
    }
