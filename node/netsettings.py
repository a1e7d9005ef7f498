"""How a node meets others, from its settings and its network."""

from typing import Final

from genesis import Network
from network.identity import parse_peer_address
from network.settings import NetworkSettings
from node.settings import NodeSettings, parse_place

DEVNET: Final = "devnet"
STALE_SPACINGS: Final = 20
"""Spacings without a block after which outbound peers are changed one by one."""

CHECK_SPACINGS: Final = 20
"""Between two looks at the copies of one matrix: ten minutes at 30 s."""


def make_network_settings(settings: NodeSettings, network: Network) -> NetworkSettings:
    """Flags and the genesis file put together.

    Raises:
        NetworkError: "bad-peer" where a peer or seed is not ID@host:port.
    """
    spacing_s = network.params.spacing_ms / 1000
    is_local = settings.local_addresses if settings.local_addresses is not None else network.name == DEVNET
    return NetworkSettings(
        host=settings.p2p_host,
        port=settings.p2p_port,
        peers=tuple(parse_peer_address(text) for text in settings.peers),
        seeds=tuple(parse_peer_address(text) for text in (*settings.seeds, *network.seeds)),
        discovery=settings.discovery,
        local_addresses=is_local,
        announce=None if settings.announce is None else parse_place(settings.announce),
        max_outbound=settings.max_outbound,
        max_inbound=settings.max_inbound,
        copy_check_s=CHECK_SPACINGS * spacing_s if settings.mesh_check_s is None else settings.mesh_check_s,
        stale_tip_s=STALE_SPACINGS * spacing_s,
    )
