"""A worker finds the outputs that it computed before its node was killed."""

import os
from pathlib import Path

import pytest

from inos.core.matrices import outcomes
from inos.core.matrices.outcomes import Outcomes
from inos.mesh.errors import MeshError
from inos.mesh.store import MatrixStore
from inos.primitives.units import JobId
from inos.work.files import compute_file_id

JOB = JobId(bytes(32))
OUTPUTS = (b"first", b"", b"x" * 5000)


def test_outputs_are_found_by_another_process_until_they_are_dropped(tmp_path: Path) -> None:
    ids = Outcomes(MatrixStore(tmp_path)).keep(JOB, OUTPUTS)
    assert ids == tuple(map(compute_file_id, OUTPUTS))
    store = MatrixStore(tmp_path)
    found = Outcomes(store)
    assert found.find(JOB) == ids
    assert tuple(map(store.get_bytes, ids)) == OUTPUTS
    assert found.find(JobId(bytes([1]) * 32)) is None
    found.drop(JOB)
    found.drop(JOB)
    assert found.find(JOB) is None
    assert store.has(ids[0])


def test_an_outcome_with_an_evicted_or_damaged_part_counts_as_lost(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    kept = Outcomes(store)
    ids = kept.keep(JOB, OUTPUTS)
    store.retention.drop(ids[2])
    assert kept.find(JOB) is None
    store.put_bytes(OUTPUTS[2])
    assert kept.find(JOB) == ids
    path = tmp_path / outcomes.FOLDER / JOB.hex()
    path.write_bytes(path.read_bytes()[:-1])
    assert kept.find(JOB) is None


def test_nothing_is_remembered_of_outputs_that_do_not_fit(tmp_path: Path) -> None:
    store = MatrixStore(tmp_path)
    kept = Outcomes(store)
    store.retention.set_quota(2000)
    with pytest.raises(MeshError, match="quota"):
        kept.keep(JOB, OUTPUTS)
    assert kept.find(JOB) is None


def test_the_oldest_records_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "MAX_KEPT", 3)
    kept = Outcomes(MatrixStore(tmp_path))
    jobs = [JobId(bytes([n]) * 32) for n in range(5)]
    for second, job in enumerate(jobs):
        kept.keep(job, OUTPUTS)
        os.utime(tmp_path / outcomes.FOLDER / job.hex(), (second, second))
    assert [kept.find(job) is not None for job in jobs] == [False, False, True, True, True]
