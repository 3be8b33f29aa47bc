"""Mobile networks run under onnxruntime: grouped convolutions, gates, hard swishes."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.data import ImagePreprocessing
from nas.export import export_subnet, onnx
from search_spaces import Architecture
from supernets.mobile import TINY


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("genotype", [TINY.smallest(), TINY.largest()])
def test_onnxruntime_computes_the_same(genotype, tmp_path):
    """Needs a package index at first use; minutes, most of them installing."""
    images = np.random.default_rng(0).integers(0, 256, (4, *TINY.input_shape), np.uint8)
    preprocessing = ImagePreprocessing((0.5, 0.5), (0.25, 0.25))
    params = jax.jit(TINY.init)(jax.random.key(0))
    arch = Architecture.hard(TINY.space, genotype)

    @jax.jit
    def infer(params, images):
        x = preprocessing(images)
        stats = TINY.calibrate(params, arch, x[None])
        return stats, TINY.apply(params, stats, arch, x).logits

    stats, logits = infer(params, jnp.asarray(images))
    done = export_subnet(
        tmp_path / "subnet",
        supernet=TINY,
        genotype=genotype,
        extracted=TINY.extract(params, stats, genotype),
        preprocessing=preprocessing,
        class_names=[f"class {i}" for i in range(TINY.num_classes)],
        sample_inputs=images,
        reference_logits=np.asarray(logits),
    )
    onnx.convert_to_onnx(done.path)
    parity = json.loads((done.path / "parity.json").read_text())
    assert parity["checks"]["onnx_vs_jax_export"]["relative"] < 1e-4
    assert parity["onnx"]["batch"] == "b"
