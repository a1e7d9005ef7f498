"""Derive the network's settings from the node's settings and the genesis file."""

from typing import Final

from inos.consensus.finality import compute_epoch, is_checkpoint
from inos.core.errors import NodeError
from inos.genesis import Network
from inos.network.identity import parse_peer_address
from inos.network.settings import NetworkSettings
from inos.node.settings import NodeSettings, parse_checkpoint, parse_endpoint
from inos.primitives.votes import Checkpoint

DEVNET: Final = "devnet"
STALE_SPACINGS: Final = 20
"""After this many spacings without a block, outbound peers are replaced one by one."""

CHECK_SPACINGS: Final = 20
"""The copies of one matrix are counted again after this many spacings: ten minutes at 30 s."""


def make_network_settings(settings: NodeSettings, network: Network) -> NetworkSettings:
    """Combine the node's settings with the genesis file.

    Raises:
        NetworkError: "bad-peer" if a peer or seed is not ID@host:port.
        NodeError: "bad-setting" if the checkpoint is not at the end of an epoch.
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
        announce=None if settings.announce is None else parse_endpoint(settings.announce),
        max_outbound=settings.max_outbound,
        max_inbound=settings.max_inbound,
        checkpoint=make_checkpoint(settings, network),
        copy_check_s=CHECK_SPACINGS * spacing_s if settings.mesh_check_s is None else settings.mesh_check_s,
        stale_tip_s=STALE_SPACINGS * spacing_s,
    )


def make_checkpoint(settings: NodeSettings, network: Network) -> Checkpoint | None:
    """Return the final block that the node's user trusts.

    Raises:
        NodeError: "bad-setting": no epoch ends at its height.
    """
    if settings.checkpoint is None:
        return None
    height, block = parse_checkpoint(settings.checkpoint)
    if height == 0 or not is_checkpoint(network.params, height):
        raise NodeError(
            "bad-setting",
            f"--checkpoint: no epoch of {network.name} ends at height {height}",
            hint=f"the heights of final blocks are multiples of {network.params.epoch_blocks}",
        )
    return Checkpoint(compute_epoch(network.params, height), block)
