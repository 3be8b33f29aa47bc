import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.data import ImagePreprocessing
from nas.export import ExportedSubnet, export_subnet
from search_spaces import Architecture
from supernets import NASBench201Supernet

SUPERNET = NASBench201Supernet(
    channels=4, cells=1, input_shape=(8, 8, 1), num_classes=3
)
# A pooling edge, both convolutions, a skip connection and a missing edge.
GENOTYPE = np.array([1, 2, 3, 4, 0, 3], np.int32)
CLASS_NAMES = ("cat", "dog", "owl")


@dataclasses.dataclass(frozen=True)
class Labelled:
    inputs: np.ndarray
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a caller has when training and search are done."""

    arguments: dict[str, Any]

    def export(self, directory: Path, **changes: Any) -> ExportedSubnet:
        return export_subnet(directory, **(self.arguments | changes))


@pytest.fixture(scope="session")
def trained() -> Trained:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)
    preprocessing = ImagePreprocessing((0.4,), (0.25,))
    params = SUPERNET.init(jax.random.key(0))
    arch = Architecture.hard(SUPERNET.space, jnp.asarray(GENOTYPE))
    x = preprocessing(jnp.asarray(images))
    # Other images than those compared on: statistics of the batch itself would hide a
    # network that was left in training mode.
    stats = SUPERNET.calibrate(params, arch, x[None, :12] + 0.5)
    return Trained(
        {
            "supernet": SUPERNET,
            "genotype": GENOTYPE,
            "extracted": SUPERNET.extract(params, stats, GENOTYPE),
            "preprocessing": preprocessing,
            "class_names": CLASS_NAMES,
            "sample_inputs": images,
            "reference_logits": SUPERNET.apply(params, stats, arch, x).logits,
            "report": Labelled(images, np.arange(20, dtype=np.int32) % 3),
        }
    )


@pytest.fixture(scope="session")
def exported(trained, tmp_path_factory) -> ExportedSubnet:
    """One export, which tests read and copy but do not change."""
    folder = tmp_path_factory.mktemp("subnets") / SUPERNET.space.id(GENOTYPE)
    return trained.export(folder)
