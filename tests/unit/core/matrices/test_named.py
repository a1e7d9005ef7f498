"""What specifications name is read once they are here whole, for each kind of task by itself."""

from pathlib import Path

import numpy as np

from inos import work
from inos.consensus.records import TaskWork
from inos.core.matrices.named import NamedMatrices
from inos.mesh.files import MatrixInfo
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import DType
from inos.primitives.transactions import TaskKind
from inos.primitives.units import Hash, MatrixId
from inos.programs import encode_program
from inos.programs.builder import ProgramBuilder

WEIGHTS = np.arange(64, dtype=np.int8).reshape(4, 16)


def make_spec() -> bytes:
    builder = ProgramBuilder()
    weights = builder.operand(WEIGHTS)
    return encode_program(builder.finish([builder.sum(weights)]).program)


def make_task(store: MatrixStore, kind: TaskKind, spec: bytes) -> TaskWork:
    return TaskWork(kind, Hash(work.compute_file_id(spec)), (), 0, 1)


def test_a_specification_that_arrives_is_read_once_it_is_whole(tmp_path: Path) -> None:
    store, spec = MatrixStore(tmp_path / "m"), make_spec()
    task = make_task(store, TaskKind.PROGRAM, spec)
    named = NamedMatrices(store, 8, 1 << 20)
    ref = work.compute_file_ref(spec)
    store.arrivals.begin(MatrixInfo(DType.BYTES, ref.rows, ref.cols, ref.root))
    named.begin_look()
    assert named.list_named(task) is None
    store.put_bytes(spec)
    named.begin_look()
    found = named.list_named(task)
    assert found is not None
    assert [each.id for each in found] == [MatrixId(work.matrix_id(WEIGHTS))]


def test_a_task_of_the_other_kind_hides_nothing(tmp_path: Path) -> None:
    store, spec = MatrixStore(tmp_path / "m"), make_spec()
    store.put_bytes(spec)
    named = NamedMatrices(store, 8, 1 << 20)
    named.begin_look()
    assert named.list_named(make_task(store, TaskKind.FUNCTION, spec)) == ()
    assert named.list_named(make_task(store, TaskKind.PROGRAM, spec)) != ()
