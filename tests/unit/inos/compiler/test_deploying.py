"""A compiled model is deployed and asked through the client. Torch is needed to compile a model, not to ask it."""

import numpy as np

from inos.client.blocking_client import BlockingClient
from inos.client.task_terms import TaskTerms
from inos.compiler.compiled import CompiledProgram, Port, load_compiled
from inos.compiler.report import Report
from inos.programs import check_program
from inos.programs.builder import ProgramBuilder
from inos.testing import TestChain


def make_layer() -> CompiledProgram:
    """Return a layer as the compiler would make it: entries of the input are 32nds, and of the output 1024ths."""
    b = ProgramBuilder()
    weights = np.random.default_rng(2).integers(-64, 64, (10, 64), np.int8)
    built = b.finish([b.matmul(b.input(16, 64, -64, 63), b.operand(weights))])
    ports = (Port("x", (16, 64), "float", 5),), (Port("y", (16, 10), "float", 10),)
    return CompiledProgram(built.program, check_program(built.program), built.matrices, *ports, Report(()))


def test_a_miner_gives_the_answer_of_this_machine(inos_devnet: TestChain, tmp_path: object) -> None:
    make_layer().save(str(tmp_path))
    compiled = load_compiled(str(tmp_path))
    x = np.random.default_rng(3).uniform(-2, 2, (16, 64)).astype(np.float32)
    with BlockingClient(inos_devnet.url, secret=inos_devnet.accounts[0].secret) as client:
        program = client.deploy(compiled.built)
        assert program == compiled.id.hex()
        results = client.run(program, compiled.quantise_inputs(x), terms=TaskTerms(may_wait_for_jury=True))
    [y] = compiled.dequantise_outputs(results)
    assert np.array_equal(y, compiled.run(x))
    assert np.abs(y).max() > 0
