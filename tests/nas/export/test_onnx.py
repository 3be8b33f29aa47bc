import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.export import ExportError, onnx
from nas.export.load import load_subnet
from nas.export.onnx_lowering import rewrite


@pytest.mark.parametrize("batch", [1, 3])
def test_rewriting_keeps_the_function(exported, trained, batch):
    subnet = load_subnet(exported.path)
    spec = jax.ShapeDtypeStruct((batch, 8, 8, 1), jnp.uint8)
    images = jnp.asarray(trained.arguments["sample_inputs"][:batch])
    program = rewrite(lambda x: subnet.module(subnet.preprocessing(x)), spec)
    np.testing.assert_allclose(program(images), subnet(images), rtol=1e-4, atol=1e-5)
    traced = str(jax.make_jaxpr(program)(spec))
    assert "reduce_window_sum" not in traced


def test_rewriting_drops_empty_pieces():
    def program(x):
        return jnp.pad(x, ((0, 0), (0, 1), (0, 0)), mode="edge")

    x = jnp.arange(12, dtype=jnp.float32).reshape(2, 3, 2)
    rewritten = rewrite(program, jax.ShapeDtypeStruct(x.shape, x.dtype))
    np.testing.assert_array_equal(rewritten(x), program(x))
    for equation in jax.make_jaxpr(rewritten)(x).eqns:
        if equation.primitive.name == "concatenate":
            assert all(0 not in variable.aval.shape for variable in equation.invars)


def test_rewriting_chooses_between_truth_values_by_logic():
    def program(x):
        mask = jnp.tril(jnp.ones((4, 4), bool))
        return jnp.where(mask & (x[:, None] > x[None]), x[None], jnp.float32(-1))

    x = jnp.asarray([3.0, 1.0, 4.0, 2.0])
    rewritten = rewrite(program, jax.ShapeDtypeStruct(x.shape, x.dtype))
    np.testing.assert_array_equal(rewritten(x), program(x))
    for equation in jax.make_jaxpr(rewritten)(x).eqns:
        if equation.primitive.name == "select_n":
            assert equation.outvars[0].aval.dtype != jnp.bool_


def test_what_is_no_subnet_is_refused_before_anything_is_made(tmp_path, capsys):
    assert onnx.main([str(tmp_path)]) == 2
    assert "is no exported subnet" in capsys.readouterr().err


def test_environment_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(onnx.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match="venv failed"):
        onnx.ensure_environment()


def test_other_logits_are_refused(exported, tmp_path, monkeypatch):
    folder = shutil.copytree(exported.path, tmp_path / "subnet")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def convert(_, images, output):
        np.save(output / "logits.npy", np.ones((len(images), 3), np.float32))
        (output / onnx.ONNX).write_bytes(b"model")
        return {"batch": "b"}

    monkeypatch.setattr(onnx, "_convert", convert)
    with pytest.raises(ExportError, match="onnx differ from those of jax_export"):
        onnx.convert_to_onnx(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_onnxruntime_computes_the_same(exported, tmp_path):
    """Needs a package index at first use; minutes, most of them installing."""
    folder = shutil.copytree(exported.path, tmp_path / "subnet")
    model = onnx.convert_to_onnx(folder)
    parity = json.loads((folder / "parity.json").read_text())
    assert model.stat().st_size > 1000
    assert parity["checks"]["onnx_vs_jax_export"]["relative"] < 1e-4
    assert parity["onnx"]["batch"] == "b"
