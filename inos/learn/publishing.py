"""A run is published in the mesh: who knows its manifest's id can fetch the run, and verify it.

The manifest names the spec and the file of all records. Programs, data and first weights are named by the spec and by
programs, and the last weights by the last record, so a reader follows ids and trusts no node.
"""

import os
import shutil
from pathlib import Path

from msgspec import Struct

from inos.client.blocking_client import BlockingClient
from inos.learn.errors import LearnError
from inos.learn.folder import Folder
from inos.learn.run import Run
from inos.learn.spec import RunSpec, decode, encode
from inos.programs import Stored, decode_program


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """Names what is published of a run: ids of files in hex.

    Attributes:
        records: the file of all records, one line for each step.
        head: the id of the last record.
    """

    version: int
    spec: str
    records: str
    head: str


def publish_run(run: Run, client: BlockingClient) -> str:
    """Put a run into the mesh: what verification needs, and the last weights. Return the manifest's id in hex.

    Raises:
        LearnError: "file-missing", "file-changed". ClientError: the node did not take a file.
    """
    last = run.find_weights()
    spec = encode(run.spec)
    records = b"".join([encode(record) + b"\n" for record in run.records])
    for name in _list_names(run.folder, run.spec):
        client.put_bytes(run.folder.get(name))
    for data in (last.weights, last.state):
        client.put_bytes(data)
    names = [client.put_bytes(data).id.hex() for data in (spec, records)]
    return client.put_bytes(encode(Manifest(1, names[0], names[1], run.head))).id.hex()


def fetch_run(manifest: str, folder: str | os.PathLike[str], client: BlockingClient) -> Run:
    """Fetch a run by its manifest's id into a folder that does not exist. Nothing is computed: `verify_run` does that.

    Raises:
        LearnError: "folder-exists", "bad-run", "parent-missing", "head-differs". RemoteError: a file is not served.
    """
    path = Path(folder)
    if path.exists():
        raise LearnError("folder-exists", f"{path} exists already", hint="name a folder that does not exist")
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _fetch_into(Folder(partial), manifest, client)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Run(path)


def _fetch_into(place: Folder, manifest: str, client: BlockingClient) -> None:
    found = decode(client.get_bytes(manifest), Manifest, f"the manifest {manifest}")
    spec = decode(client.get_bytes(found.spec), RunSpec, f"the spec {found.spec}")
    for name in (spec.gradient, spec.update, spec.prediction):
        place.put(client.get_bytes(name))
    for name in _list_names(place, spec):
        if not place.has(name):
            place.put(client.get_bytes(name))
    place.write_spec(spec)
    place.write_records(client.get_bytes(found.records))
    run = Run(place.path)
    if run.head != found.head:
        raise LearnError("head-differs", f"the last record is {run.head}; the manifest says {found.head}",
                         hint="ask the run's author for the right id")  # fmt: skip
    for record in run.records[-1:]:
        for name in (record.weights, record.state):
            place.put(client.get_bytes(name))


def _list_names(folder: Folder, spec: RunSpec) -> list[str]:
    """Return the ids of programs, of the files that they name, and of the first weights."""
    programs = [spec.gradient, spec.update, spec.prediction]
    sources = [given.source for each in programs for given in decode_program(folder.get(each)).inputs]
    named = [source.id.hex() for source in sources if isinstance(source, Stored)]
    return [*programs, spec.weights, spec.state, *dict.fromkeys(named)]
