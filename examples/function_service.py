"""A function as a service: a miner runs a WebAssembly command on a file, and the answer is printed.

    python examples/function_service.py --phrase-file phrase.txt examples/functions/words-c.wasm README.md 20

The module counts words; 20 is its argument, the least count that is shown. Any other WASI preview 1 command will do:

    python examples/function_service.py --phrase-file phrase.txt examples/functions/thumbnail.wasm in.png 128 > out.png

makes a thumbnail of a PNG or PNM image, whose longer side has 128 pixels. If the call would cost more than `--most`
credits, nothing is posted. With `--check` this machine runs the function too and compares the answers, for which it
needs the extra `functions`.
"""

import argparse
import asyncio
import sys
from pathlib import Path

import inos
from inos.client.task_terms import TaskTerms
from inos.functions import Delivered, FunctionSpec, Role, compute_units, run
from inos.functions.limits import SPEC_VERSION
from inos.primitives.units import format_credits
from inos.wallet.keys import derive_key
from inos.work.files import compute_file_id

PAGES, STEPS, OUTPUT_BYTES = 512, 2**28, 2**18
"""What a call may use. Fewer steps and a shorter output make it cheaper."""
SEED = bytes(32)
"""A seed of one's own, so that random numbers are known here too; without one they depend on the task's id."""


def make_spec(module: bytes, args: list[str]) -> FunctionSpec:
    texts = tuple(arg.encode() for arg in args)
    return FunctionSpec(SPEC_VERSION, compute_file_id(module), texts, PAGES, STEPS, OUTPUT_BYTES, SEED)


async def ask(client: inos.Client, module: bytes, data: bytes, args: list[str], most: str) -> bytes:
    """Let a miner run the module; return its answer.

    Raises:
        inos.InosError: "too-expensive", or the function has no outcome.
    """
    units = compute_units(make_spec(module, args), len(module), len(data))
    quote = await client.quote_task(units)
    price = format_credits(quote.suggested_reward + quote.burn)
    print(f"{units} units for {price} credits", file=sys.stderr)
    return await client.call_function(
        module,
        data,
        args=args,
        pages=PAGES,
        steps=STEPS,
        output_bytes=OUTPUT_BYTES,
        seed=SEED,
        terms=TaskTerms(max_cost=most, may_wait_for_jury=True),
        on_state=lambda state: print(state, file=sys.stderr),
    )


def check(module: bytes, data: bytes, args: list[str], answer: bytes) -> None:
    """Run the function here, with the limits of a checker, and end with an error if the answer is another."""
    outcome = run(make_spec(module, args), module, data, role=Role.CHECKER, seed=SEED)
    if not isinstance(outcome, Delivered) or outcome.stdout != answer:
        sys.exit("error: the miner's answer is wrong; ask a jury with inos job dispute")
    print("checked on this machine", file=sys.stderr)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", type=Path, metavar="MODULE.wasm")
    parser.add_argument("file", type=Path)
    parser.add_argument("args", nargs="*")
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--most", default="1", metavar="CREDITS")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    key = derive_key(args.phrase_file.read_text().strip())
    module, data = args.module.read_bytes(), args.file.read_bytes()
    async with inos.Client(args.rpc, wallet=key) as client:
        answer = await ask(client, module, data, args.args, args.most)
    if args.check:
        await asyncio.to_thread(check, module, data, args.args, answer)
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except inos.InosError as error:
        sys.exit(f"error: {error}")
