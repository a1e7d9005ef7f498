"""Ask a language model on the devnet: it is trained here, becomes one program, and a miner writes the answer.

    pip install 'inos[torch]'
    python examples/language_model.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt "The statement" "A class is"

A small transformer learns characters from the documentation that comes with Python, a few minutes on two cores.
`inos.compile` makes one program of integers of all its steps: it reads the prompts and writes on, with a cache of keys
and values. Its 0.2 MB of weights are put into the mesh once; a question has as many bytes, nearly all of them the empty
cache. The script compares the answer with a run on this machine, bit for bit, and prints its tokens and the text.

With --model FOLDER the compiled model is kept there, and asking again needs neither torch nor training.
"""

import argparse
import asyncio
import json
import pydoc_data.topics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import inos
from inos.client.task_terms import TaskTerms
from inos.primitives.units import format_credits
from inos.wallet.keys import derive_key

if TYPE_CHECKING:
    from torch import nn

TEXTS, STEPS, PROMPT = 4, 96, 32
"""Prompts in one question, characters that each becomes together with its answer, and the longest prompt."""
WIDTH, HEADS, LAYERS, PAST = 64, 4, 2, 48
"""PAST: how many characters the model looks back."""
HIDDEN = -30.0
"""The score of a place in the cache that is empty."""
State = tuple[Any, ...]


def read_text() -> str:
    return "\n".join(pydoc_data.topics.topics.values())


def list_letters() -> str:
    """Return the letters that the model knows; their places are the tokens."""
    return "".join(sorted(set(read_text())))


def encode(prompts: list[str], letters: str) -> State:
    """Return what the first step takes: the first tokens, the rest of the prompts, and an empty cache."""
    number = {letter: at for at, letter in enumerate(letters)}
    queue, waits = np.zeros((TEXTS, PROMPT), np.int64), np.zeros((TEXTS, PROMPT), bool)
    for row, prompt in enumerate(prompts):
        known = [number[letter] for letter in prompt]
        queue[row, : len(known)], waits[row, : len(known)] = known, True
    first, rest = queue[:, :1], np.roll(queue, -1, 1)
    more = np.concatenate([waits[:, 1:], np.zeros((TEXTS, 1), bool)], 1)
    empty = np.zeros((LAYERS, TEXTS, HEADS, PAST, WIDTH // HEADS), np.float32)
    return first, rest, more, empty, empty, np.zeros((TEXTS, 1, 1, PAST), bool)


def make_model(letters: int) -> "nn.Module":
    """Return the float model; only this needs torch."""
    import torch
    from torch import nn

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.split, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def cut(self, x: Any) -> Any:
            """Return queries, keys and values of all heads."""
            parts = self.split(self.before(x)).view(x.shape[0], x.shape[1], 3, HEADS, WIDTH // HEADS)
            return parts.permute(2, 0, 3, 1, 4).unbind(0)

        def forward(self, x: Any, q: Any, k: Any, v: Any, fading: Any, hidden: Any) -> Any:
            scores = (q @ k.transpose(2, 3)) * (WIDTH // HEADS) ** -0.5 + fading
            mixed = scores.masked_fill(hidden, HIDDEN).softmax(-1) @ v
            x = x + self.join(mixed.transpose(1, 2).flatten(2))
            return x + self.think(self.between(x))

    class Writer(nn.Module):
        """Its `forward` is one step; `read` gives the same for all places of texts at once, to train it."""

        def __init__(self) -> None:
            super().__init__()
            self.letter, self.head = nn.Embedding(letters, WIDTH), nn.Linear(WIDTH, letters)
            self.layers, self.end = nn.ModuleList([Layer() for _ in range(LAYERS)]), nn.LayerNorm(WIDTH)
            slopes = 2.0 ** -torch.arange(1, HEADS + 1)  # each head looks back less far than the next one
            ages = torch.arange(PAST - 1, -1, -1)
            self.register_buffer("fading", -(slopes[:, None] * ages).view(1, HEADS, 1, PAST))

        def read(self, tokens: Any) -> Any:
            count, x = tokens.shape[1], self.letter(tokens)
            ages = torch.arange(count)[:, None] - torch.arange(count)
            fading = self.fading[0, :, 0].flip(-1)[:, ages.clamp(0, PAST - 1)]
            for layer in self.layers:
                x = layer(x, *layer.cut(x), fading, ages < 0)
            return self.head(self.end(x))

        def forward(self, token: Any, queue: Any, waits: Any, keys: Any, values: Any, counts: Any) -> Any:
            x, kept_keys, kept_values = self.letter(token), [], []
            counts = torch.cat([counts[..., 1:], torch.ones(TEXTS, 1, 1, 1, dtype=torch.bool)], -1)
            for at, layer in enumerate(self.layers):
                q, k, v = layer.cut(x)
                kept_keys.append(torch.cat([keys[at, :, :, 1:], k], 2))
                kept_values.append(torch.cat([values[at, :, :, 1:], v], 2))
                x = layer(x, q, kept_keys[-1], kept_values[-1], self.fading, ~counts)
            best = self.head(self.end(x)).argmax(-1)
            token = torch.where(waits[:, :1], queue[:, :1], best)
            queue = torch.cat([queue[:, 1:], queue[:, :1]], 1)
            waits = torch.cat([waits[:, 1:], torch.zeros(TEXTS, 1, dtype=torch.bool)], 1)
            return token * 1, token, queue, waits, torch.stack(kept_keys), torch.stack(kept_values), counts

    return Writer()


def train(steps: int, letters: str) -> "nn.Module":
    import torch
    from torch.nn import functional

    torch.manual_seed(1)
    number = {letter: at for at, letter in enumerate(letters)}
    data = torch.tensor([number[letter] for letter in read_text()])
    model = make_model(len(letters))
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=max(2, steps))
    for step in range(steps):
        starts = torch.randint(len(data) - PAST - 1, (32,))
        pieces = torch.stack([data[start : start + PAST + 1] for start in starts.tolist()])
        loss = functional.cross_entropy(model.read(pieces[:, :-1]).flatten(0, 1), pieces[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 99 or step == steps - 1:
            print(f"training, step {step + 1} of {steps}: loss {loss.item():.2f}", file=sys.stderr, flush=True)
    return model.eval()


def compile_model(model: "nn.Module", letters: str) -> inos.CompiledProgram:
    """Return all steps as one program, calibrated with steps from the beginning and the middle of texts."""
    import torch

    text, calibration = read_text(), []
    for part in range(2):
        pieces = [text[(4 * part + row) * 5000 :][:PROMPT] for row in range(TEXTS)]
        state = tuple(map(torch.tensor, encode(pieces, letters)))
        with torch.no_grad():
            for step in range(PAST + PROMPT):
                if step % 4 == 0:
                    calibration.append(state)
                state = model(*state)[1:]
    carried = {place: place + 1 for place in range(len(calibration[0]))}
    return inos.compile(model, calibration[0], calibration, loop=inos.compiler.Loop(STEPS, carried))


def get_model(folder: Path | None, steps: int) -> tuple[inos.CompiledProgram, str]:
    """Return the compiled model and its letters, from the folder if it is there."""
    if folder is not None and (folder / "letters.json").exists():
        return inos.load_compiled(folder), json.loads((folder / "letters.json").read_text())
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        sys.exit("error: the model is trained with torch: pip install 'inos[torch]'")
    letters = list_letters()
    compiled = compile_model(train(steps, letters), letters)
    if folder is not None:
        compiled.save(folder)
        (folder / "letters.json").write_text(json.dumps(letters))
    return compiled, letters


def describe_answer(prompts: list[str], tokens: NDArray[np.int64], letters: str) -> str:
    """Return each prompt with its tokens, which begin with the rest of the prompt, and the text that they are."""
    lines = []
    for row, prompt in enumerate(prompts):
        written = tokens[:, row, 0]
        lines += [
            f"tokens {' '.join(map(str, written))}",
            prompt[:1] + "".join(letters[token] for token in written),
            "",
        ]
    return "\n".join(lines)


async def ask(args: argparse.Namespace) -> None:
    async with inos.Client(args.rpc, wallet=derive_key(args.phrase_file.read_text().strip())) as client:
        await client.head()  # a node that does not answer is known before the training
        compiled, letters = await asyncio.to_thread(get_model, args.model, args.steps)
        prompts = ["".join(letter for letter in prompt if letter in letters)[:PROMPT] for prompt in args.prompts]
        if not all(prompts):
            sys.exit("error: a prompt has no character that the model knows")
        given = compiled.quantise_inputs(*encode(prompts, letters))
        cost = compiled.cost()
        program = await client.deploy(compiled.built)
        quote = await client.quote_task(cost.units)
        price = format_credits(quote.suggested_reward + quote.burn)
        print(f"program {program}: {cost.tickets} tickets, {cost.units} units, {price} credits a question")
        # The task is posted even if too few nodes vote for a jury, and waits for them.
        found = await client.run(program, given, terms=TaskTerms(may_wait_for_jury=True), timeout_s=args.timeout)
    here = await asyncio.to_thread(compiled.run_integers, given)
    if not all(np.array_equal(*pair) for pair in zip(found, here, strict=True)):
        sys.exit("error: the miner's answer is wrong; ask a jury with inos job dispute")
    print("equal to the run on this machine, bit for bit")
    tokens = np.asarray(compiled.dequantise_outputs(found)[0], np.int64)
    print(describe_answer(prompts, tokens, letters))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", nargs="+", help=f"1 to {TEXTS} beginnings of texts, of up to {PROMPT} characters")
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--model", type=Path, metavar="FOLDER", help="keep the compiled model here, and use it again")
    parser.add_argument("--steps", type=int, default=1500, help="of training")
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="to wait for the answer")
    args = parser.parse_args()
    if len(args.prompts) > TEXTS:
        parser.error(f"a question has at most {TEXTS} prompts")
    asyncio.run(ask(args))


if __name__ == "__main__":
    try:
        main()
    except inos.InosError as error:
        sys.exit(f"error: {error}")
