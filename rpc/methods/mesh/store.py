"""mesh_status, mesh_list, mesh_pin, mesh_unpin, mesh_drop and mesh_setQuota: the node's matrix store."""

from typing import Annotated, Final

from msgspec import structs
from pydantic import Field

from inos.primitives.units import MatrixId
from inos.rpc.errors import REFUSED, RpcError, make_not_found
from inos.rpc.method import method
from inos.rpc.methods.mesh.encoding import name_dtype
from inos.rpc.models.values import Count, Hash, MatrixDtype, Model, NoParams, UnixMs
from inos.rpc.ports import NodePort

MAX_LISTED: Final = 1000


class StoreStatusModel(Model):
    """The size and the condition of the matrix store."""

    matrices: Annotated[Count, Field(description="Complete matrices.")]
    incomplete: Annotated[Count, Field(description="Matrices that are being stored, or were found damaged.")]
    bytes: Annotated[Count, Field(description="Bytes of all matrices on disk.")]
    quota: Annotated[Count | None, Field(description="The most bytes that matrices may take; null for no limit.")]
    free_bytes: Annotated[Count, Field(description="Free bytes of the disk.")]
    pinned: Annotated[Count, Field(description="Pinned matrices, which are never evicted.")]
    needed: Annotated[
        Count, Field(description="Stored matrices that an open job, a challenge window or a held block needs.")
    ]
    evicted: Annotated[Count, Field(description="Matrices deleted since the start to make room for others.")]
    damaged: Annotated[Count, Field(description="Files found damaged since the start.")]
    scrubbed_bytes: Annotated[Count, Field(description="Bytes read and verified since the start, to find damage.")]


class StoredMatrixModel(Model):
    """A matrix of the store."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    dtype: Annotated[MatrixDtype, Field(description="The data type.")]
    rows: Annotated[Count, Field(description="The number of rows.")]
    cols: Annotated[Count, Field(description="The number of columns; of a file: the bytes in its last row of 1024.")]
    size: Annotated[Count, Field(description="The bytes of its entries; of a file: its length.")]
    bytes: Annotated[Count, Field(description="Bytes of its file.")]
    is_complete: Annotated[bool, Field(description="True if all rows are stored.")]
    is_pinned: Annotated[bool, Field(description="True if it is never evicted.")]
    is_needed: Annotated[bool, Field(description="True if an open job, a challenge window or a held block needs it.")]
    is_own: Annotated[bool, Field(description="True if it was stored by a user or computed here, and not fetched.")]
    demand: Annotated[
        float, Field(ge=0, description="Recent requests of other nodes; a request counts half after an hour.")
    ]
    last_used_ms: Annotated[UnixMs | None, Field(description="When it was last used; null if that is not known.")]


class ListParams(Model):
    limit: Annotated[int, Field(ge=1, le=MAX_LISTED, description="The most matrices to list.")] = 100
    after: Annotated[Hash | None, Field(description="The `next` of the page before; null for the first page.")] = None


class MatrixPageModel(Model):
    """A page of the matrices in the store."""

    matrices: Annotated[list[StoredMatrixModel], Field(description="The matrices, in the order of their ids.")]
    next: Annotated[Hash | None, Field(description="Pass it as `after` to get the next page; null at the end.")]
    missing_pins: Annotated[
        list[Hash], Field(description="Pinned matrices that are not complete yet; the node requests them from others.")
    ]


class MatrixParams(Model):
    id: Annotated[Hash, Field(description="The matrix's id.")]


class MatrixChangeModel(Model):
    """The result of pinning, unpinning or dropping a matrix."""

    id: Annotated[Hash, Field(description="The matrix's id.")]
    is_changed: Annotated[bool, Field(description="False if it was already so.")]
    is_stored: Annotated[bool, Field(description="True if the node stores the complete matrix now.")]


class QuotaParams(Model):
    bytes: Annotated[
        Annotated[int, Field(ge=0, lt=2**63)] | None,
        Field(description="The most bytes that matrices may take; null for the quota of the node's settings."),
    ]


@method("mesh_status")
async def mesh_status(node: NodePort, params: NoParams) -> StoreStatusModel:
    """Return how many matrices the node stores, how much space they take, and how many were damaged."""
    return StoreStatusModel(**structs.asdict(node.matrices.store.get_status()))


@method("mesh_list")
async def mesh_list(node: NodePort, params: ListParams) -> MatrixPageModel:
    """List the matrices in the store, incomplete ones included, in the order of their ids."""
    entries = node.matrices.store.retention.list_entries()
    after = bytes.fromhex(params.after or "")
    left = [each for each in entries if each.id > after]
    page = left[: params.limit]
    complete = {each.id for each in entries if each.is_complete}
    return MatrixPageModel(
        matrices=[
            StoredMatrixModel(
                id=each.id.hex(),
                dtype=name_dtype(each.info.dtype),
                rows=each.info.rows,
                cols=each.info.cols,
                size=each.info.size,
                bytes=each.info.file_bytes,
                is_complete=each.is_complete,
                is_pinned=each.is_pinned,
                is_needed=each.is_needed,
                is_own=each.is_own,
                demand=round(each.demand, 3),
                last_used_ms=each.used_ms or None,
            )
            for each in page
        ],
        next=page[-1].id.hex() if len(left) > len(page) else None,
        missing_pins=[id.hex() for id in node.matrices.store.retention.list_pins() if id not in complete][:MAX_LISTED],
    )


@method("mesh_pin", is_protected=True)
async def mesh_pin(node: NodePort, params: MatrixParams) -> MatrixChangeModel:
    """Pin a matrix, so that it is never evicted. If it is not stored, the node requests it from others until it is."""
    matrix = MatrixId(bytes.fromhex(params.id))
    was = node.matrices.store.retention.is_pinned(matrix)
    await node.matrices.pin(matrix)
    return MatrixChangeModel(id=params.id, is_changed=not was, is_stored=node.matrices.store.has(matrix))


@method("mesh_unpin", is_protected=True)
async def mesh_unpin(node: NodePort, params: MatrixParams) -> MatrixChangeModel:
    """Unpin a matrix, so that it can be evicted again."""
    matrix = MatrixId(bytes.fromhex(params.id))
    was = await node.matrices.unpin(matrix)
    return MatrixChangeModel(id=params.id, is_changed=was, is_stored=node.matrices.store.has(matrix))


@method("mesh_drop", is_protected=True)
async def mesh_drop(node: NodePort, params: MatrixParams) -> MatrixChangeModel:
    """Delete a matrix from this node's store, unless it is pinned or needed."""
    matrix = MatrixId(bytes.fromhex(params.id))
    if not any(each.id == matrix for each in node.matrices.store.retention.list_entries()):
        raise make_not_found("matrix", params.id)
    if not await node.matrices.drop(matrix):
        is_pinned = node.matrices.store.retention.is_pinned(matrix)
        why = "it is pinned" if is_pinned else "a job, a challenge window or a running read needs it"
        raise RpcError(REFUSED, "matrix-kept", f"matrix {params.id} is not deleted: {why}")
    return MatrixChangeModel(id=params.id, is_changed=True, is_stored=False)


@method("mesh_setQuota", is_protected=True, timeout_s=60.0)
async def mesh_set_quota(node: NodePort, params: QuotaParams) -> StoreStatusModel:
    """Set how many bytes matrices may take, also after a restart, and evict the least wanted ones at once if needed."""
    await node.matrices.set_quota(params.bytes)
    return StoreStatusModel(**structs.asdict(node.matrices.store.get_status()))
