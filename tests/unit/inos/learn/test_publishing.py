"""A run goes into the mesh and comes out of it whole, by one id."""

from pathlib import Path

import msgspec
import pytest

from inos.client.blocking_client import BlockingClient
from inos.client.errors import RemoteError
from inos.learn.errors import LearnError
from inos.learn.publishing import Manifest, fetch_run, publish_run
from inos.learn.spec import encode
from inos.learn.training import train_run
from inos.learn.verify import verify_run
from inos.testing import TestChain
from support.published_runs import FakeMesh
from support.training_runs import make_run


def test_a_run_is_fetched_from_a_node_and_verified(inos_devnet: TestChain, tmp_path: Path) -> None:
    run = train_run(make_run(tmp_path / "run", 5), checkpoint_every=2)
    with BlockingClient(inos_devnet.url) as client:
        name = publish_run(run, client)
        fetched = fetch_run(name, tmp_path / "fetched", client)
    assert fetched.head == run.head
    assert verify_run(fetched).last == 5
    assert fetched.find_weights().weights == run.find_weights().weights
    with pytest.raises(LearnError) as caught:
        fetch_run(name, tmp_path / "fetched", client)
    assert caught.value.code == "folder-exists"


def test_a_manifest_that_lies_is_refused(tmp_path: Path) -> None:
    run, mesh = train_run(make_run(tmp_path / "run", 5)), FakeMesh()
    name = publish_run(run, mesh)  # type: ignore[arg-type]
    good = msgspec.json.decode(mesh.files[name], type=Manifest)

    def refuse(code: str, folder: str, manifest: bytes) -> None:
        lie = mesh.put_bytes(manifest).id.hex()
        with pytest.raises(LearnError) as caught:
            fetch_run(lie, tmp_path / folder, mesh)  # type: ignore[arg-type]
        assert caught.value.code == code

    lines = mesh.files[good.records].splitlines(keepends=True)
    cut = mesh.put_bytes(b"".join(lines[1:])).id.hex()
    refuse("bad-record", "a", encode(msgspec.structs.replace(good, records=cut)))
    short = mesh.put_bytes(b"".join(lines[:4])).id.hex()
    refuse("head-differs", "b", encode(msgspec.structs.replace(good, records=short)))
    refuse("bad-run", "c", b"{}")
    refuse("bad-run", "d", encode(msgspec.structs.replace(good, spec=good.records)))
    del mesh.files[run.spec.weights]
    with pytest.raises(RemoteError):
        fetch_run(name, tmp_path / "e", mesh)  # type: ignore[arg-type]


def test_a_run_that_is_not_finished_is_published_too(tmp_path: Path) -> None:
    run, mesh = make_run(tmp_path / "run"), FakeMesh()
    name = publish_run(run, mesh)  # type: ignore[arg-type]
    fetched = fetch_run(name, tmp_path / "fetched", mesh)  # type: ignore[arg-type]
    assert fetched.head == run.id
    assert train_run(fetched).head == train_run(run).head
