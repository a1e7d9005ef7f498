"""Three networks as integer programs: how much accuracy that costs, and how many tickets an answer draws.

The script trains a convolutional network and a residual network on the digits of scikit-learn, and a character model (a
transformer) on text that comes with Python. It compiles each and compares the integer program with the float model on
data that neither training nor calibration saw:

    pip install 'inos[torch,demo]'
    python examples/compile_models.py               # all three, some minutes on two cores
    python examples/compile_models.py residual      # or one of digits, residual, transformer
"""

import argparse
import json
import pydoc_data.topics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import inos

IMAGES = 99
"""Images in one run of a program; the 297 test images are three."""
CONTEXT, WIDTH, HEADS, LAYERS, TEXTS = 64, 128, 4, 3, 16


class Residual(nn.Module):
    """Two convolutions beside a shortcut, which strides if the convolutions do."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.norms[0](self.first(x)))
        return functional.relu(self.norms[1](self.second(y)) + self.shortcut(x))


class Block(nn.Module):
    """Causal self-attention and a perceptron, each behind a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.split, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, length, _ = x.shape
        parts = self.split(self.before(x)).view(count, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts.unbind(0), is_causal=True)
        x = x + self.join(mixed.transpose(1, 2).flatten(2))
        return x + self.think(self.between(x))


class CharacterModel(nn.Module):
    """Guesses the next character at every place of a text."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(letters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.end, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, letters)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.letter(tokens) + self.place(torch.arange(tokens.shape[1]))
        return self.head(self.end(self.blocks(x)))


def make_digits() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(288, 64), nn.GELU(), nn.Linear(64, 10),
    )  # fmt: skip


def make_residual() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 32, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10),
    )  # fmt: skip


def train(model: nn.Module, batches: Iterator[tuple[torch.Tensor, torch.Tensor]], rate: float) -> nn.Module:
    optimiser = torch.optim.AdamW(model.parameters(), rate)
    model.train()
    for x, y in batches:
        loss = functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def evaluate(compiled: inos.CompiledProgram, model: nn.Module, tests: list[Any]) -> dict[str, Any]:
    """Return loss and accuracy of both, and how often their best guesses agree."""
    found: dict[str, list[float]] = {
        "float loss": [],
        "integer loss": [],
        "float right": [],
        "integer right": [],
        "same": [],
    }
    for x, y in tests:
        with torch.no_grad():
            real = model(x).flatten(0, -2)
        ours = torch.tensor(compiled.run(x)).flatten(0, -2)
        for name, logits in (("float", real), ("integer", ours)):
            found[f"{name} loss"].append(functional.cross_entropy(logits, y.flatten()).item())
            found[f"{name} right"].append((logits.argmax(1) == y.flatten()).float().mean().item())
        found["same"].append((ours.argmax(1) == real.argmax(1)).float().mean().item())
    return {name: round(float(np.mean(each)), 4) for name, each in found.items()}


def run_images(name: str, epochs: int, limbs: str) -> dict[str, Any]:
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = torch.tensor(images[order] / 8 - 1, dtype=torch.float32).view(-1, 1, 8, 8)
    y = torch.tensor(labels[order])
    rest = len(x) - 3 * IMAGES
    torch.manual_seed(0)
    shuffled = (part for _ in range(epochs) for part in torch.randperm(rest).split(64))
    model = train(make_digits() if name == "digits" else make_residual(), ((x[p], y[p]) for p in shuffled), 2e-3)
    calibration = list(x[: 4 * IMAGES].split(IMAGES))
    started = time.monotonic()
    compiled = inos.compile(model, calibration[0], calibration, limbs=limbs)
    tests = list(zip(x[rest:].split(IMAGES), y[rest:].split(IMAGES), strict=True))
    return report(name, compiled, time.monotonic() - started, evaluate(compiled, model, tests))


def run_transformer(steps: int, limbs: str) -> dict[str, Any]:
    text = "\n".join(pydoc_data.topics.topics.values())
    letters = {letter: number for number, letter in enumerate(sorted(set(text)))}
    data = torch.tensor([letters[letter] for letter in text])
    cut = len(data) - len(data) // 20
    generator = torch.Generator().manual_seed(0)

    def draw(part: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.randint(len(part) - CONTEXT - 1, (count,), generator=generator)
        piece = torch.stack([part[i : i + CONTEXT + 1] for i in starts])
        return piece[:, :-1], piece[:, 1:]

    torch.manual_seed(0)
    model = train(CharacterModel(len(letters)), (draw(data[:cut], 32) for _ in range(steps)), 1.5e-3)
    calibration = [draw(data[:cut], TEXTS)[0] for _ in range(4)]
    started = time.monotonic()
    compiled = inos.compile(model, calibration[0], calibration, limbs=limbs)
    tests = [draw(data[cut:], TEXTS) for _ in range(8)]
    return report("transformer", compiled, time.monotonic() - started, evaluate(compiled, model, tests))


def report(name: str, compiled: inos.CompiledProgram, seconds: float, found: dict[str, Any]) -> dict[str, Any]:
    print(f"\n{name}\n{compiled.report}")
    cost = compiled.cost()
    size = sum(len(each) if isinstance(each, bytes) else each.nbytes for each in compiled.weights.values())
    row = {
        "model": name, **found, "tickets": cost.tickets, "units": cost.units, "nodes": len(compiled.program.nodes),
        "weights": f"{size / 1e6:.2f} MB", "compiled": f"{seconds:.1f} s",
    }  # fmt: skip
    print(json.dumps(row))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["digits", "residual", "transformer"])
    parser.add_argument("--epochs", type=int, default=12, help="epochs of the image networks")
    parser.add_argument("--steps", type=int, default=300, help="training steps of the transformer")
    parser.add_argument("--limbs", default="none", help="none, activations, weights or both")
    arguments = parser.parse_args()
    for name in arguments.models:
        if name == "transformer":
            run_transformer(arguments.steps, arguments.limbs)
        else:
            run_images(name, arguments.epochs, arguments.limbs)


if __name__ == "__main__":
    main()
