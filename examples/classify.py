"""Handwritten digits classified by a miner: a network is trained here, deployed, and asked about images it never saw.

    pip install 'inos[demo]'                        # for the images, those of scikit-learn; torch is not needed
    python examples/classify.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt

The network has two layers. It is trained in floats with numpy, and made a program of exact integers with the library of
`inos.programs`. So the miner's answer equals that of this machine bit for bit, which the script checks. A PyTorch model
becomes such a program by `inos.compile` (examples/compile_models.py).
"""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import inos
from inos.client.task_terms import TaskTerms
from inos.primitives.units import format_credits
from inos.programs import check_program, run_program
from inos.programs.builder import BuiltProgram, ProgramBuilder
from inos.programs.library import argmax, linear, rescale
from inos.wallet.keys import derive_key

HIDDEN, BATCH, UNIT = 48, 99, 1024
DARKEST = 16
"""The images' pixels are 0 to 16."""
LEVELS = 63
Layers = list[tuple[NDArray[np.float64], NDArray[np.float64]]]


def load_images() -> tuple[Any, Any, Any, Any]:
    """Return images and digits to train with, and 99 images with their digits to ask about."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        sys.exit("error: the images are those of scikit-learn: pip install 'inos[demo]'")
    images, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    images, digits = images[order].astype(np.int64), digits[order]
    return images[BATCH:], digits[BATCH:], images[:BATCH], digits[:BATCH]


def train(images: Any, digits: Any, rounds: int = 150) -> Layers:
    """Return the weights and biases of both layers, by gradient descent with momentum on all images at once."""
    rng = np.random.default_rng(1)
    layers = [[rng.normal(0, 0.2, (HIDDEN, 64)), np.zeros(HIDDEN)], [rng.normal(0, 0.2, (10, HIDDEN)), np.zeros(10)]]
    speeds = [[np.zeros_like(part) for part in layer] for layer in layers]
    x, wanted = images / DARKEST, np.eye(10)[digits]
    for _ in range(rounds):
        hidden, scores = compute_floats(layers, x)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(x)
        back = (error @ layers[1][0]) * (hidden > 0)
        for layer, speed, (out, into) in zip(layers, speeds, ((back, x), (error, hidden)), strict=True):
            for n, gradient in enumerate((out.T @ into, out.sum(axis=0))):
                speed[n] = 0.9 * speed[n] - 0.5 * gradient
                layer[n] = layer[n] + speed[n]
    return [(weight, bias) for weight, bias in layers]


def compute_floats(layers: Any, x: Any) -> tuple[Any, Any]:
    """Return what the hidden layer and the last one give."""
    (first, first_bias), (last, last_bias) = layers
    hidden = np.maximum(x @ first.T + first_bias, 0)
    return hidden, hidden @ last.T + last_bias


def quantise(layers: Layers, images: Any) -> BuiltProgram:
    """Return the network as a program of integers; the images say how large its hidden numbers become."""
    (first, first_bias), (last, last_bias) = layers
    largest = float(compute_floats(layers, images / DARKEST)[0].max())
    b = ProgramBuilder()
    pixels = b.input(BATCH, 64, 0, DARKEST, name="pixels")
    sums = linear(pixels, first, scale=1 / DARKEST, unit=UNIT, bias=first_bias)
    hidden = rescale(sums, LEVELS / (UNIT * largest), 0, LEVELS)  # what is below 0 becomes 0
    scores = linear(hidden, last, scale=largest / LEVELS, unit=UNIT, bias=last_bias)
    return b.finish([argmax(scores), scores])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    args = parser.parse_args()
    key = derive_key(args.phrase_file.read_text().strip())
    async with inos.Client(args.rpc, wallet=key) as client:
        await client.head()  # a node that does not answer is known before the training
        images, digits, asked, answers = load_images()
        layers = train(images, digits)
        built = quantise(layers, images)
        checked = check_program(built.program)
        program = await client.deploy(built)
        quote = await client.quote_task(checked.cost.units)
        price = format_credits(quote.suggested_reward + quote.burn)
        print(f"program {program}: {checked.cost.tickets} tickets, {checked.cost.units} units, {price} credits")
        # The task is posted even if too few nodes vote for a jury, and waits for them.
        found = await client.run(program, [asked], terms=TaskTerms(may_wait_for_jury=True))
    floats = compute_floats(layers, asked / DARKEST)[1].argmax(axis=1)
    print(f"right in floats: {(floats == answers).sum()} of {BATCH} images")
    print(f"right by the miner: {(found[0][:, 0] == answers).sum()} of {BATCH} images")
    here = run_program(checked, [asked], built.load)
    if not all(np.array_equal(*pair) for pair in zip(found, here, strict=True)):
        sys.exit("error: the miner's answer is wrong; ask a jury with inos job dispute")
    print("equal to the run on this machine, bit for bit")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except inos.InosError as error:
        sys.exit(f"error: {error}")
