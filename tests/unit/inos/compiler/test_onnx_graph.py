"""ONNX models as programs: each operator is compared with onnx's own reference; needs torch and onnx."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import inos
from inos.compiler import CannotCompile

torch = pytest.importorskip("torch", reason="the extra `onnx` is not installed: torch is missing")
onnx = pytest.importorskip("onnx", reason="the extra `onnx` is not installed")

RNG: Final = np.random.default_rng(2)
FLOAT: Final = 1


def make_model(nodes: list[Any], inputs: dict[str, tuple[int, ...]], constants: dict[str, Any], *outputs: str) -> Any:
    """Return a model of float inputs; the types of its outputs follow."""
    helper = onnx.helper
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, FLOAT, sizes) for name, sizes in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return onnx.shape_inference.infer_shapes(model)


def make_node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    return onnx.helper.make_node(op, inputs.split(","), outputs.split(","), name=f"{op}-{outputs}", **attributes)


def evaluate(model: Any, *arrays: Any) -> list[Any]:
    from onnx.reference import ReferenceEvaluator

    names = [each.name for each in model.graph.input]
    found: list[Any] = ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
    return found


def draw(*sizes: int) -> Any:
    return RNG.normal(size=sizes).astype(np.float32)


CHANNELS: Final = {"g": abs(draw(3)), "b": draw(3), "m": draw(3), "v": abs(draw(3)) + 0.1}
IMAGE: Final = (2, 3, 8, 6)
OPERATORS: Final[list[tuple[str, tuple[int, ...], dict[str, Any], dict[str, Any]]]] = [
    *((op, (3, 5), {}, {}) for op in ("Abs", "Cos", "Erf", "Exp", "HardSwish", "Identity", "Mish", "Neg", "Relu")),
    *((op, (3, 5), {}, {}) for op in ("Sigmoid", "Sin", "Softplus", "Tanh", "Dropout", "GlobalAveragePool")[:5]),
    ("GlobalAveragePool", IMAGE, {}, {}),
    ("Add", (3, 5), {"w": draw(5)}, {}),
    ("Sub", (3, 5), {"w": draw(3, 1)}, {}),
    ("Mul", (3, 5), {"w": draw(5)}, {}),
    ("Div", (3, 5), {"w": abs(draw(5)) + 1}, {}),
    ("Pow", (3, 5), {"w": np.float32(2)}, {}),
    ("Gelu", (3, 5), {}, {"approximate": "tanh"}),
    ("Elu", (3, 5), {}, {"alpha": 0.7}),
    ("LeakyRelu", (3, 5), {}, {"alpha": 0.2}),
    ("Clip", (3, 5), {"lo": np.float32(-0.5), "hi": np.float32(0.25)}, {}),
    ("Gemm", (3, 5), {"w": draw(7, 5), "c": draw(7)}, {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    ("Gemm", (5, 3), {"w": draw(5, 7)}, {"transA": 1}),
    ("MatMul", (2, 3, 5), {"w": draw(5, 7)}, {}),
    ("Conv", IMAGE, {"w": draw(4, 3, 3, 3), "c": draw(4)}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", IMAGE, {"w": draw(6, 1, 3, 3)}, {"group": 3, "dilations": [2, 1], "auto_pad": "VALID"}),
    ("Conv", (2, 3, 8), {"w": draw(4, 3, 3), "c": draw(4)}, {"pads": [1, 1]}),
    ("MaxPool", IMAGE, {}, {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("AveragePool", IMAGE, {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}),
    ("BatchNormalization", IMAGE, CHANNELS, {"epsilon": 1e-3}),
    ("LayerNormalization", (2, 4, 5), {"g": draw(5), "b": draw(5)}, {}),
    ("LayerNormalization", (2, 4, 5), {"g": draw(4, 5), "b": draw(4, 5)}, {"axis": 1}),
    ("ReduceMean", (2, 4, 5), {"axes": np.array([1])}, {"keepdims": 0}),
    ("ReduceSum", (2, 4, 5), {"axes": np.array([-1])}, {}),
    ("ReduceMax", (2, 4, 5), {"axes": np.array([1, 2])}, {}),
    ("Softmax", (2, 4, 5), {}, {"axis": 1}),
    ("Reshape", (2, 4, 5), {"shape": np.array([0, -1])}, {}),
    ("Flatten", (2, 4, 5), {}, {"axis": 2}),
    ("Transpose", (2, 4, 5), {}, {"perm": [2, 0, 1]}),
    ("Squeeze", (2, 1, 5), {"axes": np.array([1])}, {}),
    ("Unsqueeze", (2, 5), {"axes": np.array([0, -1])}, {}),
    ("Concat", (2, 5), {"w": draw(3, 5)}, {"axis": 0}),
    ("Slice", (6, 5), {"s": np.array([1, 0]), "e": np.array([2**40, -1]), "a": np.array([0, 1])}, {}),
    ("Gather", (6, 5), {"i": np.array([4, 0, 1])}, {"axis": 1}),
    ("Gather", (6, 5), {"i": np.array(2)}, {"axis": 0}),
    ("Expand", (1, 5), {"shape": np.array([4, 1])}, {}),
]


@pytest.mark.parametrize(("op", "sizes", "constants", "attributes"), OPERATORS)
def test_an_operator_means_what_onnx_says(
    op: str, sizes: tuple[int, ...], constants: dict[str, Any], attributes: dict[str, Any]
) -> None:
    from inos.compiler.onnx_graph import OnnxModule

    node = make_node(op, ",".join(["x", *constants]), **attributes)
    model, x = make_model([node], {"x": sizes}, constants, "y"), draw(*sizes)
    found = OnnxModule(model, x)(torch.from_numpy(x)).numpy()
    (wanted,) = evaluate(model, x)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_what_a_model_computes_of_sizes_is_constant() -> None:
    """Exporters write the sizes of a reshape as nodes, and causal masks as triangles of sizes."""
    constants = {"zero": np.array(0), "minus": np.array([-1]), "axes": np.array([0]), "two": np.array([2, 4])}
    mask = onnx.helper.make_tensor("value", FLOAT, [1], [1.5])
    nodes = [
        make_node("Shape", "x", "sizes"),
        make_node("Gather", "sizes,zero", "rows"),
        make_node("Unsqueeze", "rows,axes", "row"),
        make_node("Concat", "row,minus", "wanted", axis=0),
        make_node("Reshape", "x,wanted", "flat"),
        make_node("Shape", "x", "inner", start=1),
        make_node("ConstantOfShape", "inner", "ones", value=mask),
        make_node("Trilu", "ones", "triangle", upper=0),
        make_node("Add", "x,triangle", "added"),
        make_node("Split", "added,two", "left,right", axis=2),
    ]
    model = make_model(nodes, {"x": (3, 4, 6)}, constants, "flat", "left", "right")
    x = draw(3, 4, 6)
    compiled = inos.compile(model, x)
    assert [port.name for port in compiled.outputs] == ["flat", "left", "right"]
    for found, wanted in zip(compiled.run(x), evaluate(model, x), strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_sizes_are_divided_towards_zero() -> None:
    """A model of 7 rows makes 7 / 2 * 2 = 6 of them."""
    constants = {"zero": np.array([0]), "two": np.array([2])}
    nodes = [
        make_node("Shape", "x", "sizes", end=1),
        make_node("Div", "sizes,two", "half"),
        make_node("Mul", "half,two", "even"),
        make_node("Slice", "x,zero,even", "y"),
    ]
    model, x = make_model(nodes, {"x": (7, 3)}, constants, "y"), draw(7, 3)
    (wanted,) = evaluate(model, x)
    assert inos.compile(model, x).run(x).shape == wanted.shape == (6, 3)


def test_a_model_of_an_old_opset_is_refused() -> None:
    model = make_model([make_node("Softmax", "x")], {"x": (2, 3, 4)}, {}, "y")
    model.opset_import[0].version = 12
    with pytest.raises(CannotCompile) as error:
        inos.compile(model, draw(2, 3, 4))
    assert (error.value.code, "13" in str(error.value.hint)) == ("old-opset", True)


def test_inputs_that_are_not_the_models_are_refused() -> None:
    model, x = make_network()
    for example, told in (((x, x), "2 inputs are given; the model takes 1: x"), (draw(64, 1, 8), "Conv-h1")):
        with pytest.raises(CannotCompile) as error:
            inos.compile(model, example)
        assert told in error.value.message


def make_network() -> tuple[Any, Any]:
    """Return a small convolutional network, and inputs for it."""
    constants = {
        "w1": draw(8, 1, 3, 3) / 3, "b1": draw(8) / 4, "w2": draw(8 * 16, 10) / 11, "b2": draw(10) / 4,
        "sizes": np.array([0, -1]),
    }  # fmt: skip
    nodes = [
        make_node("Conv", "x,w1,b1", "h1", pads=[1, 1, 1, 1]),
        make_node("Relu", "h1", "h2"),
        make_node("MaxPool", "h2", "h3", kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Reshape", "h3,sizes", "h4"),
        make_node("MatMul", "h4,w2", "h5"),
        make_node("Add", "h5,b2", "logits"),
    ]
    return make_model(nodes, {"x": (64, 1, 8, 8)}, constants, "logits"), draw(64, 1, 8, 8)


def measure(found: Any, wanted: Any) -> float:
    """Return the root mean square of the difference, relative to that of the right values."""
    return float(np.sqrt(np.mean((np.asarray(found) - wanted) ** 2) / np.mean(wanted**2)))


def test_a_model_is_compiled_from_its_path_its_bytes_or_itself_with_a_report(tmp_path: Path) -> None:
    model, x = make_network()
    onnx.save(model, tmp_path / "model.onnx")
    compiled = inos.compile(tmp_path / "model.onnx", x)
    assert (compiled.inputs[0].name, compiled.outputs[0].name) == ("x", "logits")
    assert [each.name for each in compiled.report.layers] == ["Conv-h1", "MatMul-h5"]
    (wanted,) = evaluate(model, x)
    assert measure(compiled.run(x), wanted) < 0.03
    again = inos.compile(model.SerializeToString(), torch.from_numpy(x))
    assert again.program == compiled.program == inos.compile(model, x).program
    better = inos.compile(model, x, limbs={"MatMul-*": "both", "Conv-*": "both"})
    assert measure(better.run(x), wanted) < measure(compiled.run(x), wanted) / 5


def test_a_quantised_model_is_clamped_to_its_ranges_and_its_weights_are_exact() -> None:
    scales = np.abs(draw(6)) / 50 + 0.005
    whole = RNG.integers(-127, 128, (6, 16)).astype(np.int8)
    constants = {
        "w": whole, "ws": scales, "wz": np.zeros(6, np.int8), "xs": np.float32(0.02), "xz": np.uint8(100),
        "ys": np.float32(0.1), "yz": np.int8(-3), "bias": draw(6),
    }  # fmt: skip
    nodes = [
        make_node("QuantizeLinear", "x,xs,xz", "q"),
        make_node("DequantizeLinear", "q,xs,xz", "d"),
        make_node("DequantizeLinear", "w,ws,wz", "dw", axis=0),
        make_node("Gemm", "d,dw,bias", "h", transB=1),
        make_node("QuantizeLinear", "h,ys,yz", "qy"),
        make_node("DequantizeLinear", "qy,ys,yz", "y"),
    ]
    model, x = make_model(nodes, {"x": (256, 16)}, constants, "y"), 2 * draw(256, 16)
    (wanted,) = evaluate(model, x)
    assert (wanted == (127 + 3) * np.float32(0.1)).any(), "some results are clamped"
    compiled = inos.compile(model, x)
    assert [each.name for each in compiled.report.layers] == ["Gemm-h"]
    found = np.asarray(compiled.run(x))
    assert measure(found, wanted) < 0.03
    assert found.max() <= 13.01
    clipped = np.clip(x, -2, 3.1)
    float_result = clipped @ (whole * scales[:, None]).T + constants["bias"]
    precise = inos.compile(model, x, limbs="both")
    assert measure(precise.run(x), np.clip(float_result, -12.5, 13.0)) < 0.002


def test_weights_that_a_model_quantises_itself_are_read_as_it_rounds_them() -> None:
    from inos.compiler.onnx_graph import OnnxModule

    constants = {"w": draw(4, 5), "s": np.float32(0.05), "z": np.int8(7)}
    nodes = [
        make_node("QuantizeLinear", "w,s,z", "q"), make_node("DequantizeLinear", "q,s,z", "d"),
        make_node("Gemm", "x,d", "y", transB=1),
    ]  # fmt: skip
    model, x = make_model(nodes, {"x": (3, 5)}, constants, "y"), draw(3, 5)
    found = OnnxModule(model, x)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, evaluate(model, x)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "constants", "told"),
    [
        ([("Conv", "x,w", {"pads": [0, 0, 1, 1]})], {"w": draw(2, 3, 3, 3)}, "not the same on both sides"),
        ([("Conv", "x,w", {"auto_pad": "SAME_UPPER"})], {"w": draw(2, 3, 3, 3)}, "explicit pads"),
        ([("Det", "x", {})], {}, "Det (node 'Det-y'): the compiler has no rule"),
        ([("Reshape", "x,i", {})], {}, "its shape is no constant"),
        ([("ArgMax", "x", {"select_last_index": 1})], {}, "leave select_last_index at 0"),
        ([("DequantizeLinear", "x,s", {})], {"s": np.float32(1)}, "not quantised by the same scale"),
        (
            [("QuantizeLinear", "x,s,z", {})],
            {"s": np.ones(3, np.float32), "z": np.zeros(3, np.int8)},
            "quantise activations by tensor",
        ),
        ([("MaxPool", "x", {"kernel_shape": [2, 2], "storage_order": 1})], {}, "'storage_order'"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(nodes: Any, constants: dict[str, Any], told: str) -> None:
    made = [make_node(op, inputs, **attributes) for op, inputs, attributes in nodes]
    model = make_model(made, {"x": (2, 3, 8, 8), "i": (1,)}, constants, "y")
    with pytest.raises(CannotCompile) as error:
        inos.compile(model.SerializeToString(), (draw(2, 3, 8, 8), draw(1)))
    assert told in str(error.value), str(error.value)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_bytes(b"no model")
    for source in (tmp_path / "text.onnx", tmp_path / "missing.onnx", b"no model", b""):
        with pytest.raises(CannotCompile) as error:
            inos.compile(source, draw(1, 2))
        assert error.value.code == "bad-model"


def test_without_onnx_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import inos\n"
        "try:\n    inos.compile('model.onnx', None)\n"
        "except inos.InosError as error:\n    print(error.code, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "onnx-missing pip install onnx\n"
