"""A decoder writes a text token by token in one program, with a cache of keys and values; needs torch."""

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

import inos  # noqa: E402
from inos.compiler import CannotCompile, Loop  # noqa: E402

nn, functional = torch.nn, torch.nn.functional
TEXTS, PAST, WIDTH, HEADS, LETTERS, STEPS = 3, 12, 32, 4, 20, 9


class Step(nn.Module):  # type: ignore[misc, name-defined]
    """One token of a decoder: (token, keys, values, which of them count) -> (logits, and the same one later)."""

    def __init__(self) -> None:
        super().__init__()
        self.letter = nn.Embedding(LETTERS, WIDTH)
        self.norm, self.split, self.join = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 64), nn.GELU(), nn.Linear(64, WIDTH))
        self.head = nn.Linear(WIDTH, LETTERS)

    def forward(self, token: Any, keys: Any, values: Any, counts: Any) -> Any:
        x = self.letter(token)
        q, k, v = self.split(self.norm(x)).view(TEXTS, 1, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        keys, values = torch.cat([keys[:, :, 1:], k], 2), torch.cat([values[:, :, 1:], v], 2)
        counts = torch.cat([counts[..., 1:], torch.ones(TEXTS, 1, 1, 1, dtype=torch.bool)], -1)
        mixed = functional.scaled_dot_product_attention(q, keys, values, attn_mask=counts)
        x = x + self.join(mixed.transpose(1, 2).flatten(2))
        logits = self.head(x + self.think(x))
        return logits, logits.argmax(-1), keys, values, counts


def make_start(seed: int) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(seed)
    empty = torch.zeros(TEXTS, HEADS, PAST, WIDTH // HEADS)
    token = torch.randint(LETTERS, (TEXTS, 1), generator=generator)
    return token, empty, empty, torch.zeros(TEXTS, 1, 1, PAST, dtype=torch.bool)


def make_model() -> tuple[Any, list[tuple[Any, ...]]]:
    """Return a model and the inputs of many of its steps."""
    torch.manual_seed(4)
    model, batches = Step().eval(), []
    with torch.no_grad():
        for seed in range(2):
            state = make_start(seed)
            for _ in range(STEPS):
                batches.append(state)
                state = model(*state)[1:]
    return model, batches


def test_a_loop_writes_what_the_float_model_writes_step_by_step() -> None:
    model, batches = make_model()
    step = inos.compile(model, batches[0], batches, limbs="both")
    loop = inos.compile(model, batches[0], batches, limbs="both", loop=Loop(STEPS, {0: 1, 1: 2, 2: 3, 3: 4}))
    state = make_start(9)
    logits, token, keys, values, counts = loop.run(*state)
    assert logits.shape == (STEPS, TEXTS, 1, LETTERS)
    again: Any = state
    with torch.no_grad():
        for index in range(STEPS):
            real = model(*again)
            assert np.abs(logits[index] - real[0].numpy()).max() < 0.02
            again = real[1:]
    assert token.tolist() == again[0].tolist()
    assert counts.tolist() == again[3].tolist()
    assert np.abs(keys - again[1].numpy()).max() < 0.02
    assert np.abs(values - again[2].numpy()).max() < 0.02
    assert loop.cost().tickets == STEPS * step.cost().tickets
    assert len(loop.program.inputs) - len(step.program.inputs) < 5


def test_loops_that_do_not_fit_are_refused() -> None:
    model = nn.Linear(4, 3)
    for loop, message in (
        (Loop(3, {0: 0}), r"output 0 is \(2, 3\) of torch.float32, and input 0 \(2, 4\)"),
        (Loop(3, {1: 0}), "no input 1"),
        (Loop(0, {}), "at least one step"),
    ):
        with pytest.raises(CannotCompile, match=message):
            inos.compile(model, torch.randn(2, 4), loop=loop)
