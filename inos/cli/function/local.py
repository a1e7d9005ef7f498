"""`inos function` on this machine: WebAssembly commands that give the same answer on every machine."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from inos.cli.common.options import JsonOption
from inos.cli.common.output import EXIT_FAILED, fail, print_json, print_text
from inos.functions import (
    Delivered,
    FunctionSpec,
    InvalidFunction,
    ModuleCache,
    NoOutcome,
    Outcome,
    Role,
    compile_module,
    compute_units,
    inspect_module,
    run,
)
from inos.functions.limits import (
    MAX_DATA_BYTES,
    MAX_MODULE_BYTES,
    MAX_OUTPUT_BYTES,
    MAX_PAGES,
    MAX_STEPS,
    PAGE_BYTES,
    SPEC_VERSION,
)
from inos.functions.wasi import Wasi
from inos.primitives.units import HASH_BYTES
from inos.work.files import compute_file_id

DEFAULT_PAGES: Final = 1024
DEFAULT_STEPS: Final = 2**32
DEFAULT_OUTPUT_BYTES: Final = 2**20
DEFAULT_CACHE_DIR: Final = Path("~/.inos/functions")
NEXT_STEPS: Final = {
    "out-of-steps": "allow more with --steps",
    "output-too-large": "allow more with --output-bytes",
    "memory": "allow more with --pages",
    "stack": "recurse less deeply: the stack's size is the same for all functions",
    "exit-code": "the module's own log says more, if it wrote one to stderr",
    "trap": "compile the module with debug names and run it with another WebAssembly runtime to find the place",
}

ModuleArgument: TypeAlias = Annotated[
    Path, typer.Argument(metavar="MODULE.wasm", help="A WASI preview 1 command, as compilers make them.")
]
PagesOption: TypeAlias = Annotated[
    int, typer.Option("--pages", min=1, max=MAX_PAGES, metavar="N", help="The most memory, in pages of 64 KiB.")
]
StepsOption: TypeAlias = Annotated[
    int, typer.Option("--steps", min=1, max=MAX_STEPS, metavar="N", help="The most steps that the run may take.")
]
OutputOption: TypeAlias = Annotated[
    int,
    typer.Option("--output-bytes", min=0, max=MAX_OUTPUT_BYTES, metavar="N", help="The longest answer, in bytes."),
]
CacheDirOption: TypeAlias = Annotated[
    Path,
    typer.Option("--cache-dir", metavar="DIR", help="Where compiled modules are kept, in a folder of yours alone."),
]


def check(
    module: ModuleArgument,
    input_bytes: Annotated[
        int, typer.Option("--input-bytes", min=0, metavar="N", help="The length of the input, for the price in units.")
    ] = 0,
    pages: PagesOption = DEFAULT_PAGES,
    steps: StepsOption = DEFAULT_STEPS,
    output_bytes: OutputOption = DEFAULT_OUTPUT_BYTES,
    cache_dir: CacheDirOption = DEFAULT_CACHE_DIR,
    json_: JsonOption = False,
) -> None:
    """Say if a module is accepted, what it imports, and how many units a call of it costs."""
    data = read_module(module)
    info = inspect_module(data)
    compiled = compile_module(data, cache=ModuleCache(cache_dir.expanduser()))
    spec = make_spec(data, (), pages, steps, output_bytes)
    unsupported = [name for name in info.imports if not hasattr(Wasi, name)]
    shown: dict[str, Any] = {
        "id": spec.module.hex(),
        "bytes": info.bytes,
        "functions": info.functions,
        "pages": info.pages,
        "imports": list(info.imports),
        "unsupported": unsupported,
        "compiled_bytes": len(compiled),
        "units": compute_units(spec, len(data), input_bytes),
    }
    if json_:
        print_json(shown)
        return
    print_text(f"module:   {shown['id']}")
    print_text(f"accepted: {info.bytes} bytes, {info.functions} functions; compiled {len(compiled)} bytes")
    print_text(f"memory:   {info.pages} pages of {PAGE_BYTES // 1024} KiB at the start, {pages} allowed")
    print_text(f"imports:  {', '.join(info.imports) or 'none'}")
    if unsupported:
        print_text(f"          answered with ENOSYS: {', '.join(unsupported)}")
    print_text(f"units:    {shown['units']} for {input_bytes} bytes of input and the limits given")
    if info.pages > pages:
        fail("memory", f"the module starts with {info.pages} pages, and --pages allows {pages}", NEXT_STEPS["memory"])


def run_function(
    module: ModuleArgument,
    args: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="The module's arguments; behind a -- if they begin with dashes."),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Run it on this machine.")] = False,
    pages: PagesOption = DEFAULT_PAGES,
    steps: StepsOption = DEFAULT_STEPS,
    output_bytes: OutputOption = DEFAULT_OUTPUT_BYTES,
    seed: Annotated[
        str, typer.Option("--seed", metavar="HEX", help="What random_get draws from, 32 bytes; the task's id later.")
    ] = "00" * HASH_BYTES,
    as_checker: Annotated[
        bool, typer.Option("--as-checker", help="Allow twice the steps and stack, as those who check a worker do.")
    ] = False,
    cache_dir: CacheDirOption = DEFAULT_CACHE_DIR,
    json_: JsonOption = False,
) -> None:
    """Run a module: stdin is its input, stdout its answer, stderr its log. It sees no files, network or clock."""
    if not local:
        fail("not-local", "functions run on this machine only, in this version", "add --local")
    data, given = read_module(module), tuple(arg.encode("utf-8", "surrogateescape") for arg in args or ())
    outcome = run(
        make_spec(data, given, pages, steps, output_bytes),
        data,
        read_input(),
        role=Role.CHECKER if as_checker else Role.WORKER,
        seed=_parse_seed(seed),
        cache=ModuleCache(cache_dir.expanduser()),
    )
    if json_:
        print_json(_to_json(outcome))
    else:
        print_text(outcome.log.decode("utf-8", "replace"), end="", file=sys.stderr, flush=True)
    if isinstance(outcome, NoOutcome):
        if json_:
            raise typer.Exit(EXIT_FAILED)
        fail(outcome.reason, f"no outcome: {outcome.detail}", NEXT_STEPS[outcome.reason])
    if not json_:
        sys.stdout.buffer.write(outcome.stdout)
        sys.stdout.buffer.flush()


def make_spec(module: bytes, args: tuple[bytes, ...], pages: int, steps: int, output_bytes: int) -> FunctionSpec:
    return FunctionSpec(SPEC_VERSION, compute_file_id(module), args, pages, steps, output_bytes, None)


def read_module(path: Path) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            return file.read(MAX_MODULE_BYTES + 1)
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror or error}")


def read_input() -> bytes:
    data: bytes = sys.stdin.buffer.read(MAX_DATA_BYTES + 1) if hasattr(sys.stdin, "buffer") else b""
    if len(data) > MAX_DATA_BYTES:
        raise InvalidFunction("too-much-data", f"the input is longer than {MAX_DATA_BYTES} bytes")
    return data


def _parse_seed(text: str) -> bytes:
    try:
        seed = bytes.fromhex(text)
    except ValueError:
        seed = b""
    if len(seed) != HASH_BYTES:
        fail("bad-seed", f"--seed {text!r} is not {2 * HASH_BYTES} hex digits")
    return seed


def _to_json(outcome: Outcome) -> dict[str, Any]:
    log = outcome.log.decode("utf-8", "replace")
    if isinstance(outcome, Delivered):
        return {"delivered": True, "stdout": outcome.stdout.hex(), "log": log, "steps": outcome.steps}
    told = {"reason": str(outcome.reason), "detail": outcome.detail, "exit_code": outcome.exit_code}
    return {"delivered": False, **told, "log": log, "steps": outcome.steps}
