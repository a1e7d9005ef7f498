"""The methods of `inos.Client` for operators of nodes: the node's health, peers, matrices, miner, voter and watcher."""

from pathlib import Path
from typing import Final

from inos.client import models
from inos.client.reader import Reader

MATRIX_PAGE: Final = 100


class NodeReader(Reader):
    """As Reader. Methods that change the node, and those about its miner, bans and addresses, need its token."""

    async def health(self) -> models.Health:
        """Return the node's checks of itself, and how far it has synced."""
        return await self._ask(models.Health, "node_health")

    async def stop_node(self) -> None:
        """Stop the node in order. Needs the token."""
        await self.call("node_stop")

    async def begin_snapshot(self, path: Path, *, matrices: bool = True) -> models.SnapshotStatus:
        """Begin to copy the node's data into a folder of its machine; see `get_snapshot`. Needs the token."""
        return await self._ask(models.SnapshotStatus, "node_snapshot", path=str(path), matrices=matrices)

    async def get_snapshot(self) -> models.SnapshotStatus:
        """Return how far the copy is that was begun last. Needs the token."""
        return await self._ask(models.SnapshotStatus, "node_snapshotStatus")

    # Network

    async def peers(self) -> models.PeerList:
        """Return the peers that are connected now."""
        return await self._ask(models.PeerList, "net_peers")

    async def network_status(self) -> models.NetStatus:
        """Return the node's links, its reachability and the size of its address book."""
        return await self._ask(models.NetStatus, "net_status")

    async def addresses(self, limit: int = 100) -> models.AddressBook:
        """Return the address book; addresses seen last come first. Needs the token."""
        return await self._ask(models.AddressBook, "net_addresses", limit=limit)

    async def bans(self) -> models.BanList:
        """Return the nodes and network groups that are banned now. Needs the token."""
        return await self._ask(models.BanList, "net_bans")

    async def unban(self, subject: str) -> int:
        """Lift the bans of a node's id, a network group, or "all"; return how many there were. Needs the token."""
        return (await self._ask(models.LiftedBans, "net_unban", subject=subject)).lifted

    async def find_providers(self, matrix: str, limit: int = 8) -> models.ProviderList:
        """Return other nodes that have a matrix."""
        return await self._ask(models.ProviderList, "net_findProviders", id=matrix, limit=limit)

    async def provide(self, matrix: str) -> int:
        """Tell the network that the node has a matrix; return how many nodes keep a record of it. Needs the token."""
        return (await self._ask(models.AnnouncedMatrix, "net_provide", id=matrix)).recorded_by

    # Matrices

    async def store(self) -> models.StoreStatus:
        """Return how many matrices the node stores, and how much room they take and may take."""
        return await self._ask(models.StoreStatus, "mesh_status")

    async def matrices(self, limit: int = MATRIX_PAGE, after: str | None = None) -> models.MatrixPage:
        """Return a page of the node's matrices, by id."""
        return await self._ask(models.MatrixPage, "mesh_list", limit=limit, after=after)

    async def pin_matrix(self, matrix: str) -> models.MatrixChange:
        """Keep a matrix for good; one that the node does not have is fetched. Needs the token."""
        return await self._ask(models.MatrixChange, "mesh_pin", id=matrix)

    async def unpin_matrix(self, matrix: str) -> models.MatrixChange:
        """Let a matrix be evicted again. Needs the token."""
        return await self._ask(models.MatrixChange, "mesh_unpin", id=matrix)

    async def drop_matrix(self, matrix: str) -> models.MatrixChange:
        """Delete a matrix, unless it is pinned or needed. Needs the token."""
        return await self._ask(models.MatrixChange, "mesh_drop", id=matrix)

    async def set_quota(self, bytes_: int | None) -> models.StoreStatus:
        """Set how many bytes matrices may take; None restores what the node was started with. Needs the token."""
        return await self._ask(models.StoreStatus, "mesh_setQuota", bytes=bytes_)

    # Miner, watcher, voter

    async def miner(self) -> models.MinerStatus:
        """Return what the miner does and has done. Needs the token."""
        return await self._ask(models.MinerStatus, "miner_status")

    async def start_miner(self) -> models.MinerStatus:
        """Start mining again. Needs the token."""
        return await self._ask(models.MinerStatus, "miner_start")

    async def stop_miner(self) -> models.MinerStatus:
        """Pause mining; rows already made are kept. Needs the token."""
        return await self._ask(models.MinerStatus, "miner_stop")

    async def watcher(self) -> models.WatcherStatus:
        """Return what the watcher of optimistic results has done. Needs the token.

        Raises:
            RemoteError: "not-watching" where the node was started without --watch.
        """
        return await self._ask(models.WatcherStatus, "watch_status")

    async def finality(self) -> models.FinalityStatus:
        """Return what is final, what is voted on, and the state of the node's own voter."""
        return await self._ask(models.FinalityStatus, "finality_status")

    async def committee(self, epoch: int | None = None) -> models.Committee:
        """Return the committee chosen at an epoch's checkpoint; by default the one that votes now."""
        return await self._ask(models.Committee, "finality_committee", epoch=epoch)
