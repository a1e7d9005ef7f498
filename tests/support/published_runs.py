"""Published runs of training, as their files in a mesh: honest ones, and ones whose author forged them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from inos.client.errors import RemoteError
from inos.learn.publishing import Manifest
from inos.learn.spec import RunSpec, encode
from inos.work.files import compute_file_id, compute_file_ref


class FakeMesh:
    """Files by id, as a client puts and gets them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put_bytes(self, data: bytes) -> Any:
        ref = compute_file_ref(data)
        self.files[ref.id.hex()] = data
        return ref

    def get_bytes(self, file: str) -> bytes:
        if file not in self.files:
            raise RemoteError(1, "matrix-unknown", f"no node has {file}")
        return self.files[file]


def make_lines(spec: RunSpec, changes: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return records that name each other, one for each item: its fields replace those of an ordinary record."""
    run = parent = compute_file_id(encode(spec)).hex()
    lines = []
    for step, change in enumerate(changes, 1):
        shards = [{"gradient": f"{step:064x}", "metrics": f"{n:064x}"} for n in range(spec.shards)]
        record = {
            "run": run, "step": step, "parent": parent, "shards": shards, "weights": f"{step:064x}",
            "state": f"{step:064x}", "loss": 4096 * 1000 // step, "right": spec.terms, **change,
        }  # fmt: skip
        lines.append(msgspec.json.encode(record))
        parent = compute_file_id(lines[-1]).hex()
    return lines


def publish_lines(mesh: FakeMesh, spec: RunSpec, lines: list[bytes], /, **change: str) -> str:
    """Put a run of these records into the mesh; return its manifest's id."""
    put = [mesh.put_bytes(data).id.hex() for data in (encode(spec), b"".join([line + b"\n" for line in lines]))]
    manifest = Manifest(1, put[0], put[1], compute_file_id(lines[-1]).hex() if lines else put[0])
    return str(mesh.put_bytes(encode(msgspec.structs.replace(manifest, **change))).id.hex())
