"""The program of a shard's gradient draws its examples, runs the module on them, and goes back through it.

The data lies in the mesh; a task names it by the program alone. Inputs are [seed, step, shard] and the weights; results
are the gradient and [sum of losses, right guesses]. The draw depends on the first input alone, so that nobody chooses
the examples of a step.
"""

from typing import Final

from inos.compiler.tensors import Tensor, make_tensor
from inos.learn.context import Context
from inos.learn.data import Data, Pairs, Table
from inos.learn.fixed import WEIGHT_LIMIT
from inos.learn.graph import Graph, write_forward
from inos.learn.losses import count_examples, judge
from inos.learn.operands import FOURTEEN
from inos.learn.places import to_rows
from inos.programs.builder import BuiltProgram, ProgramBuilder, Value
from inos.programs.limits import MAX_VALUE

DRAW: Final = 1
"""The last entry of the key from which a shard draws its examples."""


def build_gradient(graph: Graph, data: Data, loss: str, examples: int) -> BuiltProgram:
    """Return the program of one shard of so many examples."""
    b = ProgramBuilder()
    control = b.input(1, 3, -MAX_VALUE, MAX_VALUE, name="seed, step, shard")
    weights = b.input(1, graph.weights.shape[1], -WEIGHT_LIMIT, WEIGHT_LIMIT, name="weights")
    given, target = draw_examples(b, data, control, examples)
    c = Context(b, count_examples(loss, graph.result_sizes), FOURTEEN)
    result = write_forward(c, graph, weights, given)
    judged = judge(b, loss, result, target)
    rows = c.find_gradients(graph.result, judged.error, graph.leaves)
    gradient = rows[0] if len(rows) == 1 else b.concat(rows, 1)
    return b.finish([gradient, b.concat([judged.total, judged.right], 1)])


def draw_examples(b: ProgramBuilder, data: Data, control: Value, examples: int) -> tuple[Tensor, Tensor]:
    """Return inputs and targets of examples that are drawn with replacement."""
    index = draw_indices(b, b.concat([control, b.constant(DRAW)], 1), examples, data.count)
    if isinstance(data, Pairs):
        return _gather(b, data.inputs, index), _gather(b, data.targets, index)
    length = data.window + 1
    places = index + b.constant([range(length)])
    column = b.view(places, 0, [(examples * length, 1)], [(1, 1)])
    tokens = b.gather(b.constant(data.tokens[:, None]), column)
    whole = make_tensor(tokens, (examples, length), None)
    sizes = (examples, data.window)
    return Tensor(tokens, sizes, whole.strides, 0, None), Tensor(tokens, sizes, whole.strides, 1, None)


def draw_indices(b: ProgramBuilder, key: Value, rows: int, count: int) -> Value:
    """Return a column of numbers below `count`, each from 32 random bits."""
    halves = b.random(key, rows, 2, 16) + (1 << 15)
    number = b.sum(halves * b.constant([1 << 16, 1]))
    return b.clamp(b.shift(number * count - (1 << 31), 32), 0, count - 1)


def _gather(b: ProgramBuilder, table: Table, index: Value) -> Tensor:
    return make_tensor(b.gather(b.constant(table.rows), index), (index.rows, *table.sizes), table.bits)


def build_prediction(graph: Graph, data: Data, examples: int) -> BuiltProgram:
    """Return the program that runs the module: from the weights and a batch of inputs to its result."""
    b = ProgramBuilder()
    weights = b.input(1, graph.weights.shape[1], -WEIGHT_LIMIT, WEIGHT_LIMIT, name="weights")
    if isinstance(data, Pairs):
        rows = data.inputs.rows
        lo, hi = (
            (0, int(rows.max())) if data.inputs.bits is None else (-(64 << data.inputs.bits), 64 << data.inputs.bits)
        )
        value = b.input(examples, rows.shape[1], lo, hi, name="inputs")
        given = make_tensor(value, (examples, *data.inputs.sizes), data.inputs.bits)
    else:
        value = b.input(examples, data.window, 0, int(data.tokens.max()), name="tokens")
        given = make_tensor(value, (examples, data.window), None)
    c = Context(b, examples, FOURTEEN)
    result = write_forward(c, graph, weights, given)
    return b.finish([to_rows(b, result)])
