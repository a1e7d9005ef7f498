"""The graph of a module has its operations in order, its constants, and the places of its parameters."""

import copy
from math import prod
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch.nn.modules.dropout import _DropoutNd

from inos.compiler.context import get_shape
from inos.compiler.tensors import Tensor, make_tensor
from inos.learn import rules
from inos.learn.context import Context
from inos.learn.errors import LearnError
from inos.learn.fixed import WEIGHT_BITS, WEIGHT_LIMIT, quantise_floats
from inos.learn.parameters import Parameter
from inos.programs.builder import Value

ROOMS = rules.ROOMS
"""Importing the package registers the rules."""
MAX_PARAMETERS = 1024


class Graph(Struct, frozen=True, eq=False):
    """Holds a module as operations on tensors of static sizes.

    Attributes:
        nodes: in the order in which they are computed.
        given: the input.
        result: the node that the module returns.
        leaves: the node of each parameter that is trained, in order.
        constants: values of the nodes that depend on nothing that is trained or given.
    """

    nodes: list[Any]
    given: Any
    result: Any
    leaves: list[Any]
    parameters: list[Parameter]
    weights: NDArray[np.int64]
    constants: dict[Any, Any]

    @property
    def result_sizes(self) -> tuple[int, ...]:
        return get_shape(self.result)


def export(module: Any, example: Any) -> Graph:
    """Return the graph of a module for an input of these sizes.

    Raises:
        LearnError: "bad-module", "not-exportable", "bad-weights".
    """
    if not isinstance(module, torch.nn.Module):
        raise LearnError("bad-module", f"{type(module).__name__} is no torch.nn.Module")
    dropping = [name for name, each in module.named_modules() if isinstance(each, _DropoutNd) and each.p > 0]
    if dropping:
        raise LearnError(
            "bad-module", f"{dropping[0]} drops entries at random, which training in integers does not",
            hint="remove it, or set its p to 0",
        )  # fmt: skip
    whole = copy.deepcopy(module).float().eval()
    try:
        exported = torch.export.export(whole, (example,)).module()
    except (torch._dynamo.exc.TorchDynamoException, RuntimeError, TypeError, ValueError, IndexError) as error:
        raise LearnError(
            "not-exportable",
            f"{type(module).__name__} does not take data of the sizes {tuple(example.shape)}, or torch.export cannot "
            f"export it: {str(error).strip().splitlines()[0]}",
            hint="forward() takes one tensor, a batch of examples; it must not branch on data",
        ) from error
    exported.graph.eliminate_dead_code()
    nodes = [node for node in exported.graph.nodes if not _is_guard(node)]
    return _read(exported, nodes)


def _is_guard(node: Any) -> bool:
    """Return True for what torch.export adds to check inputs."""
    return node.op == "call_module" or "assert" in str(node.target) or "guard" in str(node.target)


def _read(exported: Any, nodes: list[Any]) -> Graph:
    given = [node for node in nodes if node.op == "placeholder"]
    result = nodes[-1].args[0]
    result = result[0] if isinstance(result, (tuple, list)) and len(result) == 1 else result
    if len(given) != 1 or not isinstance(result, torch.fx.Node):
        raise LearnError("bad-module", "the module does not take one tensor and return one tensor", hint="wrap it")
    leaves, parameters, rows, first = [], [], [], 0
    constants: dict[Any, Any] = {}
    names = dict(exported.named_parameters(remove_duplicate=False))
    for node in nodes:
        if node.op == "get_attr":
            found = names.get(node.target)
            if found is None or not found.requires_grad:
                constants[node] = _get_attribute(exported, node.target)
                continue
            leaves.append(node)
            parameters.append(Parameter(str(node.target), tuple(found.shape), first))
            rows.append(_read_weights(str(node.target), found))
            first += found.numel()
        elif node.op == "call_function" and all(each in constants for each in node.all_input_nodes):
            args = torch.fx.node.map_arg(node.args, constants.__getitem__)
            constants[node] = node.target(*args, **torch.fx.node.map_arg(node.kwargs, constants.__getitem__))
    if not 1 <= len(leaves) <= MAX_PARAMETERS:
        raise LearnError("bad-module", f"the module has {len(leaves)} parameters to train, not 1 to {MAX_PARAMETERS}")
    return Graph(nodes, given[0], result, leaves, parameters, np.concatenate(rows)[None], constants)


def _get_attribute(exported: Any, path: str) -> Any:
    found = exported
    for name in path.split("."):
        found = getattr(found, name)
    return found.detach() if isinstance(found, torch.Tensor) else found


def _read_weights(name: str, parameter: Any) -> NDArray[np.int64]:
    """Return a parameter's first values in fixed point."""
    array = parameter.detach().double().cpu().numpy().ravel()
    if not np.isfinite(array).all():
        raise LearnError("bad-weights", f"the parameter {name} holds infinite numbers or NaN")
    if np.abs(array).max() > WEIGHT_LIMIT >> WEIGHT_BITS:
        raise LearnError("bad-weights", f"the parameter {name} has entries beyond 8", hint="begin with smaller weights")
    return quantise_floats(array, WEIGHT_BITS, WEIGHT_LIMIT)


def write_forward(c: Context, graph: Graph, weights: Value, given: Tensor) -> Tensor:
    """Write the module's operations on a batch; return its result."""
    for leaf, parameter in zip(graph.leaves, graph.parameters, strict=True):
        rows, cols = prod(parameter.sizes[:-1]), parameter.sizes[-1] if parameter.sizes else 1
        value = c.b.view(weights, parameter.first, [(rows, cols)], [(cols, 1)])
        c.outputs[leaf] = make_tensor(value, parameter.sizes, WEIGHT_BITS)
    c.trained.update(graph.leaves)
    c.outputs.update(graph.constants)
    c.outputs[graph.given] = given
    for node in graph.nodes:
        if node.op == "call_function" and node not in graph.constants:
            if any(each in c.trained for each in node.all_input_nodes):
                c.trained.add(node)
            c.write_node(node)
    result = c.outputs[graph.result]
    if not isinstance(result, Tensor) or graph.result not in c.trained:
        raise LearnError("bad-module", "the module's result does not depend on its parameters")
    return result
