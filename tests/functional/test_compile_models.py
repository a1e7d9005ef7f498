"""The networks of `examples/compile_models.py`, trained for seconds, are as good in integers as in floats."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import inos
from support.documents import ROOT, read_blocks

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")
pytest.importorskip("sklearn", reason="the extra `demo` is not installed")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: its threads spin, which is slow where other tests run beside."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[2] / "examples" / "compile_models.py"
    spec = importlib.util.spec_from_file_location("example_compile_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, size in {"WIDTH": 48, "LAYERS": 2, "CONTEXT": 32, "TEXTS": 8}.items():
        monkeypatch.setattr(module, name, size)
    return module


@pytest.mark.parametrize(("name", "epochs"), [("digits", 4), ("residual", 2)])
def test_image_networks_keep_their_accuracy(example: ModuleType, name: str, epochs: int) -> None:
    found = example.run_images(name, epochs, "none")
    assert found["float right"] > 0.85
    assert found["integer right"] >= found["float right"] - 0.01
    assert found["same"] >= 0.98
    assert found["tickets"] > 500


def test_the_transformer_keeps_its_loss(example: ModuleType) -> None:
    found = example.run_transformer(60, "none")
    assert found["float loss"] < 3.2
    assert found["integer loss"] <= found["float loss"] * 1.01
    assert found["same"] > 0.9


def test_the_first_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = next(each for each in read_blocks(ROOT / "docs" / "compile.md") if each.language == "python")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    assert names["logits"].shape == (16, 10)
    loaded = inos.load_compiled("digits")
    given = torch.rand(16, 64)
    assert loaded.run(given).tolist() == names["compiled"].run(given).tolist()
