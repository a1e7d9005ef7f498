"""What `inos.Client` asks a node about itself, and tells it to do: for those who run one."""

from pathlib import Path

from inos.client import node_models as models
from inos.client.reader import Reader

MATRIX_PAGE = 100


class NodeReader(Reader):
    """As Reader. Methods that change the node, and those of its miner and its address book, need its token."""

    async def health(self) -> models.Health:
        """The node's checks of itself, and how far it has synced."""
        return await self._ask(models.Health, "node_health")

    async def stop_node(self) -> None:
        """Stop the node in order; needs the token."""
        await self.call("node_stop")

    async def begin_snapshot(self, path: Path, *, matrices: bool = True) -> models.SnapshotState:
        """Begin to copy the node's data into a folder of its machine; needs the token. See `get_snapshot`."""
        return await self._ask(models.SnapshotState, "node_snapshot", path=str(path), matrices=matrices)

    async def get_snapshot(self) -> models.SnapshotState:
        """How far the copy is that was asked for last; needs the token."""
        return await self._ask(models.SnapshotState, "node_snapshotStatus")

    # Network

    async def peers(self) -> models.PeerList:
        return await self._ask(models.PeerList, "net_peers")

    async def network_status(self) -> models.NetStatus:
        """Links, reachability and the address book in figures."""
        return await self._ask(models.NetStatus, "net_status")

    async def addresses(self, limit: int = 100) -> models.AddressBook:
        """The address book, those seen last first; needs the token."""
        return await self._ask(models.AddressBook, "net_addresses", limit=limit)

    async def bans(self) -> models.BanList:
        """Nodes and network groups refused now; needs the token."""
        return await self._ask(models.BanList, "net_bans")

    async def unban(self, subject: str) -> int:
        """Lift bans of a node's id, a network group, or "all"; how many there were. Needs the token."""
        return int((await self.call("net_unban", subject=subject))["lifted"])

    async def find_providers(self, matrix: str, limit: int = 8) -> models.ProviderList:
        """Other nodes that have a matrix."""
        return await self._ask(models.ProviderList, "net_findProviders", id=matrix, limit=limit)

    async def provide(self, matrix: str) -> int:
        """Tell the network that the node has a matrix; how many nodes keep record of it."""
        return int((await self.call("net_provide", id=matrix))["recorded_by"])

    # Matrices

    async def store(self) -> models.StoreState:
        """The node's matrices in figures."""
        return await self._ask(models.StoreState, "mesh_status")

    async def matrices(self, limit: int = MATRIX_PAGE, after: str | None = None) -> models.HeldPage:
        """A page of the node's matrices."""
        return await self._ask(models.HeldPage, "mesh_list", limit=limit, after=after)

    async def pin_matrix(self, matrix: str) -> models.MatrixChange:
        """Never drop it; one that is not here is fetched. Needs the token."""
        return await self._ask(models.MatrixChange, "mesh_pin", id=matrix)

    async def unpin_matrix(self, matrix: str) -> models.MatrixChange:
        """Let it give way again; needs the token."""
        return await self._ask(models.MatrixChange, "mesh_unpin", id=matrix)

    async def drop_matrix(self, matrix: str) -> models.MatrixChange:
        """Delete it, unless it is pinned or needed; needs the token."""
        return await self._ask(models.MatrixChange, "mesh_drop", id=matrix)

    async def set_quota(self, bytes_: int | None) -> models.StoreState:
        """How many bytes matrices may take; None: as the node was started. Needs the token."""
        return await self._ask(models.StoreState, "mesh_setQuota", bytes=bytes_)

    # Miner, watcher, voter

    async def miner(self) -> models.MinerState:
        """What the miner does and came to; needs the token."""
        return await self._ask(models.MinerState, "miner_status")

    async def start_miner(self) -> models.MinerState:
        """Needs the token."""
        return await self._ask(models.MinerState, "miner_start")

    async def stop_miner(self) -> models.MinerState:
        """Pause mining; rows already made are kept. Needs the token."""
        return await self._ask(models.MinerState, "miner_stop")

    async def watcher(self) -> models.WatcherState:
        """RemoteError "not-watching" where the node was started without --watch."""
        return await self._ask(models.WatcherState, "watch_status")

    async def finality(self) -> models.Finality:
        """What is final, what is voted on, and the node's own voter."""
        return await self._ask(models.Finality, "finality_status")

    async def committee(self, epoch: int | None = None) -> models.Committee:
        """The committee chosen at an epoch's checkpoint; without one, that which votes now."""
        return await self._ask(models.Committee, "finality_committee", epoch=epoch)
