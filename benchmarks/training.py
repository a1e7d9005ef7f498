"""Measures training in integers against training in floats: the same modules, optimisers and numbers of steps.

    python benchmarks/training.py digits convolutions characters

It needs torch and scikit-learn, and prints one line of JSON for each module and seed. Text is what Python's own
documentation topics hold; nothing is downloaded.
"""

import argparse
import json
import os
import pydoc_data.topics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import inos.learn as learn
from inos.learn.machines import load_machine

WINDOW, WIDTH, HEADS, LAYERS = 48, 64, 4, 2


class Block(nn.Module):
    """A layer of a causal transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.split, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Any) -> Any:
        b, t, _ = x.shape
        q, k, v = self.split(self.before(x)).view(b, t, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.join(mixed.transpose(1, 2).flatten(2))
        return x + self.think(self.between(x))


class Writer(nn.Module):
    """A small language model of characters."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(letters, WIDTH), nn.Parameter(torch.randn(WINDOW, WIDTH) / 8)
        nn.init.normal_(self.letter.weight, std=0.125)
        self.layers = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.end, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, letters)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.end(self.layers(self.letter(tokens) + self.place)))


def make_digits(images: bool) -> tuple[Any, Any]:
    found = load_digits()
    x = (found.data / 16).astype(np.float32)
    x = x.reshape(-1, 1, 8, 8) if images else x
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1437], order[1437:]
    return (x[train], found.target[train]), (x[test], found.target[test])


def make_text() -> tuple[Any, Any]:
    text = "\n".join(pydoc_data.topics.topics.values())
    letters = {letter: n for n, letter in enumerate(sorted(set(text)))}
    tokens = np.array([letters[letter] for letter in text])
    cut = len(tokens) * 19 // 20
    return learn.Tokens(tokens[:cut], WINDOW), learn.Tokens(tokens[cut:][: 400 * WINDOW + 1], WINDOW)


def make_case(name: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Return a function that makes the module, data, test data, and the options of training."""
    if name == "digits":
        make = lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))  # noqa: E731
        return make, *make_digits(False), {"steps": 1500, "batch": 64, "optimiser": learn.sgd(0.1)}
    if name == "convolutions":
        make = lambda: nn.Sequential(  # noqa: E731
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip
        return make, *make_digits(True), {"steps": 1500, "batch": 64, "optimiser": learn.sgd(0.05)}
    data, test = make_text()
    letters = int(max(data.tokens.max(), test.tokens.max())) + 1
    return lambda: Writer(letters), data, test, {"steps": 1000, "batch": 16, "optimiser": learn.adam(3e-3, warmup=50)}


def train_float(module: Any, data: Any, options: dict[str, Any], seed: int) -> float:
    """Train in floats by torch's own optimisers; return the seconds."""
    rng, chosen, steps = np.random.default_rng(seed), options["optimiser"], options["steps"]
    rate = chosen.rate / 2**24
    if chosen.name == "adam":
        optimiser: Any = torch.optim.Adam(module.parameters(), rate, betas=(0.9, 1 - 2**-10))
    else:
        optimiser = torch.optim.SGD(module.parameters(), rate * 0.1, momentum=0.9)
    began = time.perf_counter()
    for step in range(1, steps + 1):
        rise = step / chosen.warmup if step <= chosen.warmup else (steps + 1 - step) / (steps + 1 - chosen.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 if chosen.name == "adam" else 0.1) * rise
        if isinstance(data, learn.Tokens):
            starts = rng.integers(0, len(data.tokens) - WINDOW, options["batch"])
            pieces = torch.tensor(data.tokens[starts[:, None] + np.arange(WINDOW + 1)])
            x, y = pieces[:, :-1], pieces[:, 1:]
        else:
            index = rng.integers(0, len(data[0]), options["batch"])
            x, y = torch.tensor(data[0][index]), torch.tensor(data[1][index])
        loss = functional.cross_entropy(module(x).flatten(0, -2), y.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def score_float(module: Any, data: Any) -> tuple[float, float]:
    if isinstance(data, learn.Tokens):
        count = (len(data.tokens) - 1) // WINDOW
        x, y = (torch.tensor(data.tokens[at : at + count * WINDOW].reshape(count, WINDOW)) for at in (0, 1))
    else:
        x, y = map(torch.tensor, data)
    with torch.no_grad():
        z = module(x)
    loss = functional.cross_entropy(z.flatten(0, -2), y.flatten()).item()
    return loss, (z.argmax(-1) == y).float().mean().item()


def measure(name: str, seed: int, steps: int | None) -> dict[str, Any]:
    make, data, test, options = make_case(name)
    options["steps"] = steps or options["steps"]
    torch.manual_seed(seed)
    module = make()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        run = learn.train(module, data, "cross_entropy", folder=Path(folder), seed=seed, progress=False, **options)
        seconds = time.perf_counter() - began
        score = run.evaluate(test)
        costs = [load_machine(run.folder, each).checked.cost for each in (run.spec.gradient, run.spec.update)]
        in_float = run.load_into(make())
    float_seconds = train_float(module, data, options, seed)
    loss, accuracy = score_float(module, test)
    return {
        "module": name, "seed": seed, "steps": options["steps"], "weights": sum(p.numel() for p in module.parameters()),
        "integers": [round(score.loss, 4), round(score.accuracy, 4)], "float": [round(loss, 4), round(accuracy, 4)],
        "integer_weights_in_float": [round(each, 4) for each in score_float(in_float, test)],
        "ms_a_step": round(seconds / options["steps"] * 1000, 1),
        "float_ms_a_step": round(float_seconds / options["steps"] * 1000, 1),
        "units": [cost.units for cost in costs], "tickets": costs[0].tickets, "peak_mb": costs[0].peak_bytes >> 20,
        "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", default=["digits", "convolutions", "characters"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--steps", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.modules:
        for seed in range(args.first, args.first + args.seeds):
            print(json.dumps(measure(name, seed, args.steps)), flush=True)


if __name__ == "__main__":
    main()
