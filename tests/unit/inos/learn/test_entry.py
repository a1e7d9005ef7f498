"""Small networks are trained from beginning to end; what cannot be trained is refused before anything is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

import inos.learn as learn  # noqa: E402

nn = torch.nn
WINDOW = 6


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(4)


def make_points(count: int = 200) -> tuple[Any, Any]:
    """Return points of a plane, and in which quarter each of them is."""
    x = np.random.default_rng(1).normal(0, 1, (count, 2)).astype(np.float32)
    return x, (x[:, 0] > 0) * 2 + (x[:, 1] > 0)


def make_model() -> Any:
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4))


def train(folder: Path, model: Any = None, data: Any = None, loss: Any = "cross_entropy", **options: Any) -> Any:
    given = {"folder": folder, "progress": False, "batch": 16, "steps": 5} | options
    used = make_model() if model is None else model
    return learn.train(used, make_points() if data is None else data, loss, **given)


def test_a_network_learns_and_its_weights_work_in_torch(tmp_path: Path) -> None:
    model = make_model()
    run = train(tmp_path / "run", model, steps=150, shards=2, loss=nn.CrossEntropyLoss())
    test = make_points(100)
    score = run.evaluate(test)
    assert score.accuracy > 0.9
    assert learn.verify_run(run, 100).last == 150
    loaded = run.load_into(make_model())
    with torch.no_grad():
        answers = loaded(torch.tensor(test[0]))
    assert np.abs(answers.numpy() - run.predict(test[0])).max() < 0.5
    loss = nn.functional.cross_entropy(answers, torch.tensor(test[1])).item()
    assert loss == pytest.approx(score.loss, abs=0.05)


def test_images_are_learned_by_convolutions(tmp_path: Path) -> None:
    """The label is the half of the image in which a bright place is."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 120)
    images = rng.normal(0, 0.1, (120, 1, 4, 4)).astype(np.float32)
    images[np.arange(120), 0, labels * 2 + rng.integers(0, 2, 120), rng.integers(0, 4, 120)] += 1
    model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 2))
    run = train(tmp_path / "run", model, (images, labels), steps=80)
    assert run.evaluate((images, labels)).accuracy > 0.95


def test_a_text_is_learned(tmp_path: Path) -> None:
    """Every letter follows from the one before."""
    tokens = np.arange(400) * 3 % 7
    model = nn.Sequential(nn.Embedding(7, 12), nn.Linear(12, 7))
    run = train(tmp_path / "run", model, learn.Tokens(tokens, WINDOW), steps=80, optimiser=learn.adam(0.03))
    assert run.evaluate(learn.Tokens(tokens[:61], WINDOW)).accuracy == 1.0
    assert run.predict(tokens[None, :WINDOW]).shape == (1, WINDOW, 7)


def test_numbers_are_learned(tmp_path: Path) -> None:
    x, _ = make_points()
    model = nn.Linear(2, 1)
    run = train(
        tmp_path / "run", model, (x, (2 * x[:, :1] - x[:, 1:] + 0.5)), "mse", steps=120, optimiser=learn.sgd(0.05)
    )
    assert run.evaluate((x, 2 * x[:, :1] - x[:, 1:] + 0.5)).loss < 0.01
    found = run.parameters()
    assert np.abs(found["weight"] - [[2, -1]]).max() < 0.05
    assert found["bias"] == pytest.approx(0.5, abs=0.05)


def test_training_again_goes_on_and_other_arguments_are_refused(tmp_path: Path) -> None:
    model, folder = make_model(), tmp_path / "run"
    whole = train(folder, model, steps=6)
    lines = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[:3]))
    assert train(folder, model, steps=6).head == whole.head
    assert learn.resume(folder, progress=False).head == whole.head
    for other in ({"steps": 7}, {"seed": 1}, {"batch": 8}, {"model": make_model()}, {"optimiser": learn.adam()}):
        with pytest.raises(learn.LearnError) as caught:
            train(folder, **({"model": model, "steps": 6} | other))
        assert caught.value.code == "run-differs"
    assert learn.load_run(folder).head == whole.head


X, Y = make_points()
WRONG = np.where(np.arange(200) == 3, 4, Y)
HOLE = np.where(np.arange(400).reshape(200, 2) == 11, np.nan, X)
LETTERS = nn.Embedding(9, 4)


@pytest.mark.parametrize(
    ("code", "words", "options"),
    [
        ("bad-labels", "label of example 3 is 4; the module has 4 classes", {"data": (X, WRONG)}),
        ("bad-data", "inputs[5, 1] is nan", {"data": (HOLE, Y)}),
        ("not-exportable", "does not take data of the sizes (16, 3)", {"data": (np.ones((200, 3), np.float32), Y)}),
        ("bad-data", "integers as if they were floats", {"data": (np.ones((200, 2), np.int64), Y)}),
        ("bad-data", "needs integers of ()", {"data": (X, Y.astype(np.float32))}),
        ("bad-data", "needs integers of ()", {"data": (X, np.eye(4, dtype=int)[Y])}),
        ("bad-data", "mse of a result (4,) needs floats of (4,)", {"loss": "mse"}),
        ("bad-labels", "is 4; the module has 4", {"model": LETTERS, "data": learn.Tokens(np.arange(30) % 6, 4)}),
        ("bad-module", "tokens need", {"model": LETTERS, "data": learn.Tokens(np.arange(9), 4), "loss": "mse"}),
        ("bad-data", "tokens 0 .. 9; an Embedding has 9 rows", {"model": LETTERS, "data": (np.arange(10), Y[:10])}),
        ("bad-loss", "'hinge' is no loss", {"loss": "hinge"}),
        ("bad-module", "function is no torch.nn.Module", {"model": lambda x: x}),
        ("bad-module", "0 parameters to train", {"model": nn.ReLU()}),
        ("bad-weights", "holds infinite numbers or NaN", {"model": "nan"}),
        ("bad-weights", "beyond 8", {"model": "large"}),
        ("unsupported-operation", "batch_norm", {"model": nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))}),
        ("bad-steps", "not 0", {"steps": 0}),
        ("bad-steps", "5.0 is no whole number", {"steps": 5.0}),
        ("bad-steps", "every 0 steps", {"checkpoint_every": 0}),
        ("bad-optimiser", "'adam' is no optimiser", {"optimiser": "adam"}),
        ("bad-client", "str is no inos.BlockingClient", {"client": "http://127.0.0.1:8645"}),
        ("bad-module", "1 drops entries at random", {"model": nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5))}),
        ("bad-shards", "16 examples is not cut into 3", {"shards": 3}),
        ("bad-shards", "16 examples is not cut into 16", {"shards": 16}),
        ("bad-seed", "-1", {"seed": -1}),
        ("step-too-large", "jurors compute", {"model": "wide", "batch": 1 << 15}),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(tmp_path: Path, code: str, words: str, options: Any) -> None:
    if options.get("model") in ("nan", "large"):
        model = make_model()
        with torch.no_grad():
            model[0].weight[1, 1] = float("nan") if options["model"] == "nan" else 9.0
        options = options | {"model": model}
    if options.get("model") == "wide":
        options = options | {"model": nn.Sequential(*[nn.Linear(2, 8192), nn.ReLU(), nn.Linear(8192, 4)])}
    with pytest.raises(learn.LearnError) as caught:
        train(tmp_path / "run", **options)
    assert caught.value.code == code
    assert words in str(caught.value)
    if code != "bad-client" and "checkpoint_every" not in options:
        assert not (tmp_path / "run" / "spec.json").exists()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(learn.LearnError, match="is a file"):
        train(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "mine"


def test_answers_are_asked_for_with_the_data_of_training(tmp_path: Path) -> None:
    run = train(tmp_path / "run")
    for wrong in (np.ones((3, 3), np.float32), np.ones((3, 2), np.int64), np.full((3, 2), np.nan)):
        with pytest.raises(learn.LearnError) as caught:
            run.predict(wrong)
        assert caught.value.code == "bad-data"
    with pytest.raises(learn.LearnError, match="targets are"):
        run.evaluate((X[:5], Y[:4]))
    with pytest.raises(learn.LearnError, match="label of example 0 is 7"):
        run.evaluate((X[:1], np.array([7])))
    assert run.predict(X[:3]).shape == (3, 4)
    assert run.predict(X[:35], step=0).shape == (35, 4)


def test_without_torch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(learn.LearnError) as caught:
        train(tmp_path / "run", object())
    assert (caught.value.code, caught.value.hint) == ("torch-missing", "pip install torch")
