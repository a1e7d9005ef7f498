"""Exports a module by `torch.export`, calibrates it, and writes each operation by its rule."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np
import torch

from inos.compiler import attention, elementwise, layers, looping, reductions, views
from inos.compiler.arithmetic import LIMIT, choose_bits
from inos.compiler.compiled import CompiledProgram, Port
from inos.compiler.context import LIMBS, RULES, Context, get_op, get_shape, refuse
from inos.compiler.entry import Loop
from inos.compiler.errors import CannotCompile
from inos.compiler.observer import Observer
from inos.compiler.probing import measure_errors
from inos.compiler.report import Report
from inos.compiler.tensors import Tensor, make_tensor, to_matrix
from inos.programs import check_program
from inos.programs.builder import ProgramBuilder
from inos.programs.limits import MAX_OUTPUTS

CHANNEL_AXES: Final = {"linear": -1, "conv1d": 1, "conv2d": 1}
"""The layers whose inputs are sampled, and the dimension of their inputs' channels."""
HALVES: Final = (torch.float16, torch.bfloat16)
"""Types that numpy or torch's own kernels lack; such models are compiled as float32."""
ROOMS: Final = (attention, elementwise, layers, reductions, views)
"""The modules that register rules."""


def compile_module(
    module: Any,
    example: Any,
    calibration: Iterable[Any] | None,
    limbs: str | Mapping[str, str],
    smooth: bool,
    loop: Loop | None,
) -> CompiledProgram:
    """Compile a module; `inos.compile` describes the arguments."""
    inputs = to_tuple(example)
    batches = [inputs] if calibration is None else [to_tuple(each) for each in calibration]
    _check_batches(inputs, batches)
    graph = _export(module, inputs)
    nodes = [node for node in graph.graph.nodes if not _is_guard(node)]
    constants = _find_constants(nodes)
    axes = {node: CHANNEL_AXES[get_op(node)] for node in nodes if _is_layer(node) and node not in constants}
    seen = Observer(graph, axes, constants, len(batches))
    with torch.no_grad():
        for batch in batches:
            seen.run(*batch)
    given, found = get_inputs(nodes), get_outputs(nodes)
    if loop is not None:
        looping.check_loop(given, found, loop)
        looping.join_spans(given, found, seen, loop)
    c = Context(ProgramBuilder(), seen, _read_limbs(limbs), smooth)
    c.folds = _find_folds(nodes, constants)
    ports = [write_input(c, node) for node in given]
    write_nodes(c, nodes, constants)
    compiled = _finish(c, found, ports, batches[0])
    if loop is None:
        return compiled
    return looping.write_loop(c, given, found, loop, compiled, lambda inner: write_nodes(inner, nodes, constants))


def _finish(c: Context, found: list[Any], ports: list[Port], batch: tuple[Any, ...]) -> CompiledProgram:
    values, outputs = [], []
    for index, node in enumerate(found):
        tensor = c.outputs.get(node)
        if not isinstance(tensor, Tensor):
            refuse(node, "the output does not depend on the inputs", "return it from outside of the compiled module")
        values.append(to_matrix(c.b, tensor, max(len(tensor.sizes) - 1, 0)))
        name = f"output{index}" if len(found) > 1 else "output"
        outputs.append(Port(name, tensor.sizes, _get_kind(node), tensor.bits))
    built = c.b.finish(values)
    checked = check_program(built.program)
    compiled = CompiledProgram(built.program, checked, built.matrices, tuple(ports), tuple(outputs), Report(()))
    return msgspec.structs.replace(compiled, report=measure_errors(c, compiled, found, batch))


def _export(module: Any, inputs: tuple[Any, ...]) -> Any:
    if not isinstance(module, torch.nn.Module):
        raise CannotCompile("bad-module", f"{type(module).__name__} is no torch.nn.Module", hint="wrap it in one")
    if any(each.dtype in HALVES for each in module.parameters()):
        module = copy.deepcopy(module).float()
    was_training = module.training
    try:
        distinct = tuple([each.clone() for each in inputs])  # one tensor given twice would become one input
        graph = torch.export.export(module.eval(), distinct).module()
        graph.graph.eliminate_dead_code()
        return graph
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError) as error:
        raise CannotCompile(
            "not-exportable",
            f"torch.export cannot export {type(module).__name__}: {str(error).strip().splitlines()[0]}",
            hint="forward() must not branch on data, and all sizes must follow from the example's",
        ) from error
    finally:
        module.train(was_training)


def write_nodes(c: Context, nodes: list[Any], constants: set[Any]) -> None:
    """Write all operations; the tensors of the inputs are there already."""
    for node in nodes:
        if node in constants:
            c.outputs[node] = c.seen.constants.get(node)
        elif node.op == "call_function":
            c.outputs[node] = _write_node(c, node)


def _write_node(c: Context, node: Any) -> Any:
    rule = RULES.get(get_op(node))
    if rule is None:
        refuse(node, "the compiler has no rule for this operation", "docs/compile.md lists what it knows")
    args = torch.fx.node.map_arg(node.args, c.outputs.__getitem__)
    options = torch.fx.node.map_arg(node.kwargs, c.outputs.__getitem__)
    return rule(c, node, args, options)


def write_input(c: Context, node: Any) -> Port:
    """Write an input of the program, and return how tensors become its matrix."""
    sizes, kind = get_shape(node), _get_kind(node)
    if not sizes or all(_is_guard(user) for user in node.users):
        refuse(node, "the input has no dimensions, or nothing uses it", "remove it from forward()")
    cols = sizes[-1]
    rows = int(np.prod(sizes[:-1]))
    span = c.seen.spans[node]
    if kind == "float":
        bits = choose_bits(span.peak)
        value = c.b.input(rows, cols, -LIMIT if span.lo < 0 else 0, LIMIT)
    elif kind == "bool":
        bits, value = None, c.b.input(rows, cols, 0, 1)
    else:
        top = max(int(span.hi), *_find_vocabularies(c, node), 0)
        bits, value = None, c.b.input(rows, cols, min(int(span.lo), 0), top)
    c.outputs[node] = make_tensor(value, sizes, bits)
    return Port(node.name, sizes, kind, bits)


def _find_vocabularies(c: Context, node: Any) -> list[int]:
    """Return the last token numbers of the embeddings that read this node, directly or through views."""
    found = [0]
    for user in node.users:
        if get_op(user) == "embedding" and user.args[1] is node:
            found.append(len(c.seen.constants[user.args[0]]) - 1)
        elif get_op(user) in views.VIEWS:
            found += _find_vocabularies(c, user)
    return found


def _find_constants(nodes: list[Any]) -> set[Any]:
    """Return the nodes that do not depend on any input."""
    found: set[Any] = set()
    for node in nodes:
        is_computed = node.op == "call_function" and all(each in found for each in node.all_input_nodes)
        if node.op == "get_attr" or is_computed:
            found.add(node)
    return found


def _find_folds(nodes: list[Any], constants: set[Any]) -> dict[Any, Any]:
    """Return the batch norm that each layer takes in, by the layer: the only user of a layer with weights."""
    found = {}
    for node in nodes:
        if node.op == "call_function" and get_op(node) == "batch_norm":
            source = node.args[0]
            if _is_layer(source) and source not in constants and len(source.users) == 1 and len(get_shape(source)) != 3:
                found[source] = node
    return found


def _is_layer(node: Any) -> bool:
    return node.op == "call_function" and get_op(node) in CHANNEL_AXES


def _is_guard(node: Any) -> bool:
    """Return True for what torch.export adds to check inputs."""
    return node.op == "call_module" or "assert" in str(node.target) or "guard" in str(node.target)


def get_inputs(nodes: list[Any]) -> list[Any]:
    """Return the nodes of the module's inputs."""
    return [node for node in nodes if node.op == "placeholder"]


def get_outputs(nodes: list[Any]) -> list[Any]:
    """Return the nodes of the module's outputs."""
    given = nodes[-1].args[0]
    found = list(given) if isinstance(given, (tuple, list)) else [given]
    if not all(isinstance(each, torch.fx.Node) for each in found) or len(found) > MAX_OUTPUTS:
        raise CannotCompile(
            "bad-outputs", f"the module returns {len(found)} results; a program has up to {MAX_OUTPUTS} tensors",
            hint="return tensors only, as one tuple",
        )  # fmt: skip
    return found


def _get_kind(node: Any) -> str:
    dtype = node.meta["val"].dtype
    if dtype is torch.bool:
        return "bool"
    return "float" if dtype.is_floating_point else "int"


def to_tuple(example: Any) -> tuple[Any, ...]:
    given = example if isinstance(example, (tuple, list)) else (example,)
    given = [torch.from_numpy(each) if isinstance(each, np.ndarray) else each for each in given]
    return tuple([each.float() if getattr(each, "dtype", None) in HALVES else each for each in given])


def _check_batches(inputs: tuple[Any, ...], batches: list[tuple[Any, ...]]) -> None:
    if not batches:
        raise CannotCompile("bad-calibration", "there are no calibration inputs", hint="give at least one")
    for index, batch in enumerate([inputs, *batches]):
        if not all(isinstance(each, torch.Tensor) for each in batch):
            raise CannotCompile("bad-calibration", "inputs must be tensors", hint="give tensors, or tuples of them")
        shapes, wanted = [tuple(each.shape) for each in batch], [tuple(each.shape) for each in inputs]
        if shapes != wanted:
            raise CannotCompile(
                "bad-calibration", f"calibration input {index - 1} has sizes {shapes}; the example has {wanted}",
                hint="cut or pad the batches to the example's sizes",
            )  # fmt: skip


def _read_limbs(limbs: str | Mapping[str, str]) -> dict[str, Any]:
    wanted = {"*": limbs} if isinstance(limbs, str) else dict(limbs)
    wrong = sorted({each for each in wanted.values() if each not in LIMBS})
    if wrong:
        raise CannotCompile("bad-limbs", f"limbs are {wrong[0]!r}", hint=f"use one of {', '.join(LIMBS)}")
    return {pattern: LIMBS[each] for pattern, each in wanted.items()}


__all__ = ["compile_module"]
