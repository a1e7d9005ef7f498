"""The language of integer tensor programs: types, checker, encoding, interpreters, builder.

Pipeline: bytes -> `decode_program` (bounded, canonical) -> `check_program` (types, intervals, cost; no data) ->
`run_program` (inputs compared with their types, then no further checks) -> results, whose bytes follow from
their types. Products are made by a function that the caller hands over, so that a miner draws tickets from them.

The package knows no blocks, tasks or nodes, reads no files, and no rule of the chain depends on it.
docs/programs.md describes the language exactly.
"""

from inos.programs.builder import BuiltProgram, ProgramBuilder, Value
from inos.programs.checker import CheckedProgram, check_program
from inos.programs.costs import Cost
from inos.programs.encoding import compute_program_id, decode_program, encode_program
from inos.programs.engines import Engine, Prepared, prepare_program, run_program
from inos.programs.errors import InvalidInput, InvalidProgram
from inos.programs.interpreter import Interpreter
from inos.programs.products import Multiply, multiply
from inos.programs.structure import Given, Inline, Input, Node, Program, Repeat, Stored
from inos.programs.types import Type
from inos.programs.values import bind_inputs, decode_value, encode_value

__all__ = [
    "BuiltProgram",
    "CheckedProgram",
    "Cost",
    "Engine",
    "Given",
    "Inline",
    "Input",
    "Interpreter",
    "InvalidInput",
    "InvalidProgram",
    "Multiply",
    "Node",
    "Prepared",
    "Program",
    "ProgramBuilder",
    "Repeat",
    "Stored",
    "Type",
    "Value",
    "bind_inputs",
    "check_program",
    "compute_program_id",
    "decode_program",
    "decode_value",
    "encode_program",
    "encode_value",
    "multiply",
    "prepare_program",
    "run_program",
]
