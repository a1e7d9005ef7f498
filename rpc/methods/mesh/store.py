"""mesh_*: this node's store of matrices: what it holds, what it must keep, how much room it may take."""

from typing import Annotated

from msgspec import structs
from pydantic import Field

from inos.primitives.matrices import DTYPE_INT7
from inos.primitives.units import MatrixId
from inos.rpc.errors import REFUSED, RpcError, make_not_found
from inos.rpc.method import method
from inos.rpc.methods.mesh.encoding import DtypeName
from inos.rpc.ports import NodePort
from inos.rpc.schemas import Count, Hex32, Model, NoParams

MAX_LISTED = 1000


class StoreModel(Model):
    """The store in figures."""

    matrices: Annotated[Count, Field(description="Whole ones.")]
    incomplete: Annotated[Count, Field(description="On their way, or found damaged.")]
    bytes: Count
    quota: Annotated[Count | None, Field(description="Bytes; null for no limit but the disk's.")]
    free_bytes: Annotated[Count, Field(description="Of the disk.")]
    pinned: Count
    needed: Annotated[Count, Field(description="Held, and needed by an open job, a challenge window or a late block.")]
    evicted: Annotated[Count, Field(description="Gave way for others since the start.")]
    damaged: Annotated[Count, Field(description="Files found spoiled or cut off since the start.")]
    scrubbed_bytes: Annotated[Count, Field(description="Read back and checked since the start.")]


class HeldModel(Model):
    """One matrix of the store."""

    id: Hex32
    dtype: DtypeName
    rows: Count
    cols: Count
    bytes: Annotated[Count, Field(description="Of its file.")]
    is_complete: bool
    is_pinned: bool
    is_needed: bool
    is_own: Annotated[bool, Field(description="Given or made on this machine, and not fetched.")]
    demand: Annotated[float, Field(ge=0, description="Requests of others that count now; half after an hour.")]
    used_ms: Annotated[int, Field(ge=0, description="When it was last used; 0 where nobody knows.")]


class ListParams(Model):
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED)] = 100
    after: Annotated[Hex32 | None, Field(description="Go on behind this id.")] = None


class Held(Model):
    matrices: Annotated[list[HeldModel], Field(description="By id.")]
    has_more: bool
    absent_pins: Annotated[list[Hex32], Field(description="Pinned, and not here yet: they are asked of other nodes.")]


class OneParams(Model):
    id: Hex32


class Changed(Model):
    id: Hex32
    is_changed: Annotated[bool, Field(description="False where it was so before.")]
    is_here: Annotated[bool, Field(description="Whether the node holds the matrix, whole.")]


class QuotaParams(Model):
    bytes: Annotated[
        Annotated[int, Field(ge=0, lt=2**63)] | None, Field(description="null for the quota the node was started with.")
    ]


@method("mesh_status")
async def mesh_status(node: NodePort, params: NoParams) -> StoreModel:
    """How many matrices the node holds, what room they take, and what it found spoiled."""
    return StoreModel(**structs.asdict(node.matrices.get_status()))


@method("mesh_list")
async def mesh_list(node: NodePort, params: ListParams) -> Held:
    """The matrices of the store by id, those not whole too, and pins that are not here."""
    entries = node.matrices.list_entries()
    after = bytes.fromhex(params.after or "")
    left = [each for each in entries if each.id > after]
    here = {each.id for each in entries if each.is_complete}
    return Held(
        matrices=[
            HeldModel(
                id=each.id.hex(),
                dtype="int8" if each.info.dtype == DTYPE_INT7 else "int32",
                rows=each.info.rows,
                cols=each.info.cols,
                bytes=each.info.file_bytes,
                is_complete=each.is_complete,
                is_pinned=each.is_pinned,
                is_needed=each.is_needed,
                is_own=each.is_own,
                demand=round(each.demand, 3),
                used_ms=each.used_ms,
            )
            for each in left[: params.limit]
        ],
        has_more=len(left) > params.limit,
        absent_pins=[id.hex() for id in node.matrices.list_pins() if id not in here][:MAX_LISTED],
    )


@method("mesh_pin", is_protected=True)
async def mesh_pin(node: NodePort, params: OneParams) -> Changed:
    """Never drop a matrix; one that is not here is asked of other nodes until it is."""
    matrix = MatrixId(bytes.fromhex(params.id))
    was = node.matrices.is_pinned(matrix)
    await node.pin_matrix(matrix, True)
    return Changed(id=params.id, is_changed=not was, is_here=node.matrices.has(matrix))


@method("mesh_unpin", is_protected=True)
async def mesh_unpin(node: NodePort, params: OneParams) -> Changed:
    """Let a matrix give way again where room is needed."""
    matrix = MatrixId(bytes.fromhex(params.id))
    was = node.matrices.is_pinned(matrix)
    await node.pin_matrix(matrix, False)
    return Changed(id=params.id, is_changed=was, is_here=node.matrices.has(matrix))


@method("mesh_drop", is_protected=True)
async def mesh_drop(node: NodePort, params: OneParams) -> Changed:
    """Delete a matrix from this node's store, unless it is pinned or needed."""
    matrix = MatrixId(bytes.fromhex(params.id))
    if not any(each.id == matrix for each in node.matrices.list_entries()):
        raise make_not_found("matrix", params.id)
    if not await node.drop_matrix(matrix):
        why = "it is pinned" if node.matrices.is_pinned(matrix) else "a job, a challenge window or a reader needs it"
        raise RpcError(REFUSED, "matrix-kept", f"matrix {params.id} is not dropped: {why}")
    return Changed(id=params.id, is_changed=True, is_here=False)


@method("mesh_setQuota", is_protected=True, timeout_s=60.0)
async def mesh_set_quota(node: NodePort, params: QuotaParams) -> StoreModel:
    """Change how many bytes the store may take, from now on and over restarts; the least wanted give way at once."""
    await node.set_quota(params.bytes)
    return StoreModel(**structs.asdict(node.matrices.get_status()))
