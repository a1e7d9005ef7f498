"""A small transformer whose inference mines.

The script trains a character model on text that comes with Python. It then runs the model in float32 and with every
linear layer on the certified int7 engine, and shows what that costs and earns:

    pip install torch
    inos devnet &                                   # or any node; its RPC address is the argument
    python examples/transformer.py http://127.0.0.1:8645 ADDRESS
"""

import argparse
import copy
import json
import math
import pydoc_data.topics
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import inos
import inos.torch

CONTEXT, WIDTH, HEADS, LAYERS = 128, 256, 4, 4


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self) -> None:
        super().__init__()
        self.split, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, length, _ = x.shape
        parts = self.split(x).view(count, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
        return self.join(mixed.transpose(1, 2).reshape(count, length, WIDTH))


class Block(nn.Module):
    """Attention and a two-layer network, each with a residual connection."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.think = (
            Attention(),
            nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)),
        )
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attend(self.before(x))
        return x + self.think(self.between(x))


class Model(nn.Module):
    """A model that reads characters and returns logits of the next ones."""

    def __init__(self, letters: int) -> None:
        super().__init__()
        self.letter, self.place = nn.Embedding(letters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.end, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, letters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.end(self.blocks(self.letter(x) + self.place(torch.arange(x.shape[1])))))


def load_text() -> tuple[torch.Tensor, int]:
    """Return Python's own documentation as numbers, and the number of different characters."""
    text = "\n".join(pydoc_data.topics.topics.values())
    letters = {letter: n for n, letter in enumerate(sorted(set(text)))}
    return torch.tensor([letters[letter] for letter in text]), len(letters)


def draw_batch(data: torch.Tensor, size: int, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return `size` pieces of text, and the same pieces shifted by one character."""
    starts = torch.randint(len(data) - CONTEXT - 1, (size,), generator=chance)
    pieces = torch.stack([data[start : start + CONTEXT + 1] for start in starts.tolist()])
    return pieces[:, :-1], pieces[:, 1:]


def train(model: nn.Module, data: torch.Tensor, steps: int, chance: torch.Generator) -> None:
    """Train with AdamW, with warm-up and decay of the learning rate."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / steps))
        x, y = draw_batch(data, 16, chance)
        loss = functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0 or step == steps - 1:
            print(f"training, step {step + 1} of {steps}: loss {loss.item():.3f}", flush=True)


def measure(model: nn.Module, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[float, float]:
    """Return the mean loss, and characters per second."""
    total, start = 0.0, time.perf_counter()
    with torch.no_grad():
        for x, y in batches:
            total += functional.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    return total / len(batches), sum(x.numel() for x, _ in batches) / (time.perf_counter() - start)


def mine_until_won(
    model: nn.Module, miner: inos.Miner, data: torch.Tensor, chance: torch.Generator, limit_s: float
) -> None:
    """Run the inference on new text until a block is won or the time is over."""
    start = time.perf_counter()
    with torch.no_grad():
        while not miner.blocks and time.perf_counter() - start < limit_s:
            model(draw_batch(data, 16, chance)[0])


def run(url: str, address: str | None, steps: int, limit_s: float) -> dict[str, Any]:
    """Run the whole comparison."""
    with inos.Miner(url, beneficiary=address):
        pass  # A node that does not answer, or gives no template, is known before the model is trained.
    torch.manual_seed(1)
    chance = torch.Generator().manual_seed(2)
    data, letters = load_text()
    held_out = data[-len(data) // 20 :]
    model = Model(letters)
    train(model, data[: -len(data) // 20], steps, chance)
    batches = [draw_batch(held_out, 16, chance) for _ in range(6)]
    mined = inos.torch.mine(copy.deepcopy(model))
    plain_loss, plain_speed = measure(model.eval(), batches)
    with inos.Miner(url, beneficiary=address) as miner:
        start = time.perf_counter()
        mined_loss, mined_speed = measure(mined, batches)
        tickets_per_s = miner.tickets / (time.perf_counter() - start)
        mine_until_won(mined, miner, data, chance, limit_s)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss_float32": round(plain_loss, 4),
        "loss_certified": round(mined_loss, 4),
        "tokens_per_s_float32": round(plain_speed),
        "tokens_per_s_certified": round(mined_speed),
        "tickets_per_s": round(tickets_per_s),
        "tickets": miner.tickets,
        "blocks_won": len(miner.blocks),
        "first_block": next(iter(miner.blocks), None),
        "last_error": miner.last_error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8645", help="a node's RPC address")
    parser.add_argument("address", nargs="?", help="who earns; the node's own beneficiary without")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds to go on for a block")
    parser.add_argument("--json", action="store_true", help="print one JSON value at the end")
    given = parser.parse_args()
    try:
        found = run(given.url, given.address, given.steps, given.limit)
    except inos.InosError as error:
        sys.exit(f"error: {error}")
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<24} {value}")


if __name__ == "__main__":
    main()
