"""node_snapshot and node_snapshotStatus: copies of a running node's data."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.values import Count, Model, NoParams
from inos.rpc.ports import NodePort, SnapshotStatus


class SnapshotParams(Model):
    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4096,
            description="The absolute path of the folder to create on the node's machine; it must not exist yet.",
        ),
    ]
    matrices: Annotated[bool, Field(description="True to copy the matrices too.")] = True


class SnapshotErrorModel(Model):
    """Why a snapshot failed."""

    code: Annotated[str, Field(description="The stable name of the error.")]
    message: Annotated[str, Field(description="What went wrong.")]
    hint: Annotated[str, Field(description="What to do about it.")]


class SnapshotStatusModel(Model):
    """The progress of the snapshot that was requested last."""

    state: Annotated[Literal["none", "running", "done", "failed"], Field(description='"none" if none was requested.')]
    path: Annotated[str, Field(description="The folder of the snapshot.")]
    step: Annotated[str, Field(description="What is copied now, ledger or matrices; empty before and after.")]
    step_bytes: Annotated[Count, Field(description="The bytes copied in this step so far.")]
    step_total_bytes: Annotated[Count, Field(description="The approximate bytes to copy in this step.")]
    bytes: Annotated[Count, Field(description="The bytes of the whole snapshot, once it is done.")]
    matrices: Annotated[Count, Field(description="The matrices in the snapshot, once it is done.")]
    error: Annotated[SnapshotErrorModel | None, Field(description="Why it failed; null if it did not.")]


@method("node_snapshot", is_protected=True)
async def node_snapshot(node: NodePort, params: SnapshotParams) -> SnapshotStatusModel:
    """Start to copy the node's data into a new folder on its machine while the node runs; answer at once.

    Chain and state of the snapshot belong to one block. The folder is a data directory on which another node can be
    started; it holds no keys. It appears under its name when it is complete: see node_snapshotStatus.
    """
    path = Path(params.path)
    if not path.is_absolute():
        raise RpcError(
            errors.INVALID_PARAMS, "bad-path", f"{params.path!r} is not absolute", hint="give a path that starts with /"
        )
    if not node.snapshots.begin(path, params.matrices):
        running = node.snapshots.get_status()
        hint = "wait until node_snapshotStatus says that it is done"
        raise RpcError(errors.REFUSED, "snapshot-running", f"a snapshot is being written to {running.path}", hint=hint)
    return _render_snapshot(node.snapshots.get_status())


@method("node_snapshotStatus", is_protected=True)
async def node_snapshot_status(node: NodePort, params: NoParams) -> SnapshotStatusModel:
    """Return the progress of the snapshot that was requested last."""
    return _render_snapshot(node.snapshots.get_status())


def _render_snapshot(status: SnapshotStatus) -> SnapshotStatusModel:
    error = status.error
    return SnapshotStatusModel(
        state=status.state,
        path=status.path,
        step=status.step,
        step_bytes=status.step_bytes,
        step_total_bytes=status.step_total_bytes,
        bytes=status.bytes,
        matrices=status.matrices,
        error=None if error is None else SnapshotErrorModel(code=error.code, message=error.message, hint=error.hint),
    )
