"""Settings and genesis file together say how a node finds others."""

from pathlib import Path

import pytest

from inos.core.errors import NodeError
from inos.genesis import load_network
from inos.network.errors import NetworkError
from inos.node.network_settings import make_network_settings
from inos.node.settings import NodeSettings, load_settings

SEED = f"{'ab' * 32}@seed.example:8646"


def make(**values: object) -> NodeSettings:
    return NodeSettings(**values)  # type: ignore[arg-type]


def test_flags_reach_the_network() -> None:
    devnet = load_network("devnet")
    found = make_network_settings(
        make(seeds=(SEED,), discovery=False, max_outbound=3, max_inbound=5, announce="20.1.2.3:99"), devnet
    )
    assert [str(seed) for seed in found.seeds] == [SEED]
    assert (found.discovery, found.max_outbound, found.max_inbound) == (False, 3, 5)
    assert found.announce == ("20.1.2.3", 99)
    assert found.stale_tip_s == 40.0
    with pytest.raises(NetworkError, match="is not the address of a peer"):
        make_network_settings(make(seeds=("nonsense",)), devnet)


def test_local_addresses_count_on_devnets_or_where_the_user_says_so() -> None:
    devnet, testnet = load_network("devnet"), load_network("testnet")
    assert make_network_settings(make(), devnet).local_addresses
    assert not make_network_settings(make(), testnet).local_addresses
    assert make_network_settings(make(local_addresses=True), testnet).local_addresses
    assert not make_network_settings(make(local_addresses=False), devnet).local_addresses


@pytest.mark.parametrize("text", ["20.1.2.3", "20.1.2.3:0", "20.1.2.3:70000", "a.example:99", ":99", "020.1.2.3:99"])
def test_what_cannot_be_announced_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="--announce: write an IP address"):
        load_settings({"announce": text, "data_dir": tmp_path})
