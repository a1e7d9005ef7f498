"""node_snapshot and node_snapshotStatus."""

from support.rpc_served import Ask


async def test_a_second_snapshot_is_refused_while_one_is_written(ask: Ask) -> None:
    begun = await ask("node_snapshot", path="/somewhere")
    assert (begun["state"], begun["step"], begun["step_bytes"], begun["step_total_bytes"]) == (
        "running",
        "ledger",
        5,
        9,
    )
    error = await ask("node_snapshot", path="/elsewhere")
    assert (error["code"], error["data"]["code"]) == (-32000, "snapshot-running")
    assert (await ask("node_snapshotStatus"))["path"] == "/somewhere"
