"""Every supernet that there is leaves in full, and comes back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import supernets
from nas.data import Preprocessing
from nas.export import export_subnet, load_subnet
from search_spaces import Architecture

TINY = supernets.discover_tiny()


@pytest.mark.parametrize("name", TINY)
def test_export_and_load(name, tmp_path):
    supernet = TINY[name]
    shape = supernet.input_shape
    images = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    preprocessing = Preprocessing((0.5,) * shape[-1], (0.25,) * shape[-1])
    params = supernet.init(jax.random.key(0))
    genotype = np.asarray(supernet.space.sample(jax.random.key(1), 1))[0]
    arch = Architecture.hard(supernet.space, jnp.asarray(genotype))

    @jax.jit
    def infer(params, images):
        x = preprocessing(images)
        stats = supernet.calibrate(params, arch, x[None])
        return stats, supernet.apply(params, stats, arch, x).logits

    stats, logits = infer(params, jnp.asarray(images))
    done = export_subnet(
        tmp_path / "subnet",
        supernet=supernet,
        genotype=genotype,
        extracted=supernet.extract(params, stats, genotype),
        preprocessing=preprocessing,
        class_names=[f"class {i}" for i in range(supernet.num_classes)],
        sample_images=images,
        reference_logits=np.asarray(logits),
    )
    subnet = load_subnet(done.path)
    np.testing.assert_allclose(subnet(images), logits, rtol=1e-4, atol=1e-5)
    assert subnet.description.supernet == supernet
