"""Every supernet that there is leaves in full, and comes back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import supernets
from nas.data import ImagePreprocessing, Tokens
from nas.export import export_subnet, load_subnet
from search_spaces import Architecture

TINY = supernets.discover_tiny()


def raw_inputs(supernet):
    """Random examples of the kind that a supernet takes, and their preprocessing."""
    shape, rng = supernet.input_shape, np.random.default_rng(0)
    if supernet.input_dtype == "int32":
        preprocessing = Tokens(supernet.num_classes).fit(np.zeros((1, *shape)))
    else:
        preprocessing = ImagePreprocessing((0.5,) * shape[-1], (0.25,) * shape[-1])
    dtype = preprocessing.kind.RAW_DTYPE
    values = rng.integers(0, preprocessing.num_values, (3, *shape))
    return values.astype(dtype), preprocessing


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if "-" in n else []) for n in TINY],
)
def test_export_and_load(name, tmp_path):
    supernet = TINY[name]
    inputs, preprocessing = raw_inputs(supernet)
    params = supernet.init(jax.random.key(0))
    genotype = np.asarray(supernet.space.sample(jax.random.key(1), 1))[0]
    arch = Architecture.hard(supernet.space, jnp.asarray(genotype))

    @jax.jit
    def infer(params, inputs):
        x = preprocessing(inputs)
        stats = supernet.calibrate(params, arch, x[None])
        return stats, supernet.apply(params, stats, arch, x).logits

    stats, logits = infer(params, jnp.asarray(inputs))
    done = export_subnet(
        tmp_path / "subnet",
        supernet=supernet,
        genotype=genotype,
        extracted=supernet.extract(params, stats, genotype),
        preprocessing=preprocessing,
        class_names=[f"class {i}" for i in range(supernet.num_classes)],
        sample_inputs=inputs,
        reference_logits=np.asarray(logits),
    )
    subnet = load_subnet(done.path)
    np.testing.assert_allclose(subnet(inputs), logits, rtol=1e-4, atol=1e-5)
    assert subnet.description.supernet == supernet
