"""Counts the members of classes that only pass a call or a read on to another object of this project.

A member counts if its whole body is `self.part.member(...)` or `self.part.member`, awaited or not, with arguments that
are names, attributes and constants. Calls on objects of the standard library do not count: the attribute's type is read
from its annotation or from the assignment in the class. Protocols do not count either.

Printed as a table: `PYTHONPATH=tests python -m support.forwarding`
"""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = tuple(sorted(path.name for path in (ROOT / "inos").iterdir() if path.is_symlink()))
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
WRAPPERS: Final = frozenset({"partial", "tuple"})
"""These calls change nothing about an argument."""


class Forwarding(NamedTuple):
    """Counts the members of one class that pass calls on, and all its members."""

    path: str
    name: str
    forwarding: list[str]
    members: int


@cache
def parse_modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return the path from the root, and the parsed source, of every module of the product."""
    paths = [path for package in (*PACKAGES, "inos") for path in sorted((ROOT / package).rglob("*.py"))]
    real = (path for path in paths if not any(parent.is_symlink() for parent in path.parents))
    return tuple((str(path.relative_to(ROOT)), ast.parse(path.read_text())) for path in real)


def count_forwarding() -> list[Forwarding]:
    """Count for every class of the product that has such members."""
    nodes = ((path, node) for path, module in parse_modules() for node in ast.walk(module))
    classes = [(path, node) for path, node in nodes if isinstance(node, ast.ClassDef)]
    own = {node.name for _, node in classes}
    found = []
    for path, node in classes:
        if any("Protocol" in ast.unparse(base) for base in node.bases):
            continue
        types = _read_attribute_types(node)
        members = [each for each in node.body if isinstance(each, Function) and each.name != "__init__"]
        forwarding = [each.name for each in members if _is_forwarding(each, types, own)]
        if forwarding:
            found.append(Forwarding(path, node.name, forwarding, len(members)))
    return found


def _is_forwarding(function: Function, types: Mapping[str, set[str]], own: set[str]) -> bool:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr) or body[0].value is None:
        return False
    value = body[0].value.value if isinstance(body[0].value, ast.Await) else body[0].value
    if isinstance(value, ast.Call):
        arguments = [*value.args, *(keyword.value for keyword in value.keywords)]
        if not all(map(_is_plain, arguments)):
            return False
        value = value.func
    elif not isinstance(body[0], ast.Return):
        return False
    chain = _read_chain(value)
    if len(chain) < 3 or chain[0] != "self":
        return False
    known = types.get(chain[1])
    return known is None or bool(known & own)


def _is_plain(node: ast.expr) -> bool:
    match node:
        case ast.Starred(value) | ast.Attribute(value):
            return _is_plain(value)
        case ast.Call(ast.Name(name), arguments, keywords) if name in WRAPPERS:
            return all(map(_is_plain, (*arguments, *(each.value for each in keywords))))
        case _:
            return isinstance(node, ast.Name | ast.Constant)


def _read_chain(node: ast.expr) -> list[str]:
    """Return the names of `self.a.b`, or nothing for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _read_attribute_types(cls: ast.ClassDef) -> dict[str, set[str]]:
    """Return the names in the type of each attribute, as far as annotations and assignments of the class tell."""
    types: dict[str, set[str]] = {}
    for member in cls.body:
        if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            types[member.target.id] = _list_names(member.annotation)
        if not isinstance(member, Function):
            continue
        if member.returns is not None and any(ast.unparse(each) == "property" for each in member.decorator_list):
            types.setdefault(member.name, _list_names(member.returns))
        arguments = {
            each.arg: _list_names(each.annotation)
            for each in (*member.args.args, *member.args.kwonlyargs)
            if each.annotation is not None
        }
        for node in ast.walk(member):
            for name, found in _read_assignment(node, arguments):
                types.setdefault(name, found)
    return types


def _read_assignment(node: ast.AST, arguments: Mapping[str, set[str]]) -> Iterable[tuple[str, set[str]]]:
    match node:
        case ast.AnnAssign(target=ast.Attribute(value=ast.Name("self"), attr=name), annotation=annotation):
            yield name, _list_names(annotation)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                match target, value:
                    case ast.Attribute(value=ast.Name("self"), attr=name), ast.Call(func=func):
                        yield name, _list_names(func)
                    case ast.Attribute(value=ast.Name("self"), attr=name), ast.Name(given) if given in arguments:
                        yield name, arguments[given]
                    case (
                        ast.Attribute(value=ast.Name("self"), attr=name),
                        ast.Constant() | ast.Dict() | ast.List() | ast.Set() | ast.Tuple(),
                    ):
                        yield name, set()


def _list_names(node: ast.expr) -> set[str]:
    names: set[str] = set()
    for each in ast.walk(node):
        match each:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                names.add(name)
            case ast.Constant(value=str() as text):
                names.update(text.replace("|", " ").split())
    return names


def main() -> None:
    """Print every class with such members, those with most first."""
    found = sorted(count_forwarding(), key=lambda each: -len(each.forwarding))
    print(f"{sum(len(each.forwarding) for each in found)} members only pass a call on")
    for each in found:
        print(f"{len(each.forwarding):3d} of {each.members:3d}  {each.path}:{each.name}  {' '.join(each.forwarding)}")


if __name__ == "__main__":
    main()
