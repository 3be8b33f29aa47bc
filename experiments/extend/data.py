"""A data source of one's own: images made by a formula.

nas run experiments/extend/data.py
"""

import dataclasses

import numpy as np

from nas import Experiment, Training
from nas.data import Dataset, DataSource
from nas.search import RandomSearch, Search
from supernets import NASBench201Supernet


@dataclasses.dataclass(frozen=True)
class Stripes(DataSource):
    """Noisy stripes that run across, down, or along a diagonal."""

    num: int = 1500
    """Images."""

    noise: float = 40.0
    """Standard deviation of the noise, in grey levels."""

    def load(self) -> Dataset:
        """Draw the images, the same ones each time."""
        rng = np.random.default_rng(0)
        labels = rng.integers(3, size=self.num).astype(np.int32)
        row, column = np.mgrid[:8, :8]
        along = np.stack([row, column, row + column])[labels]
        phase = rng.integers(4, size=self.num)[:, None, None]
        clean = 90.0 + 80.0 * ((along + phase) // 2 % 2)
        noisy = clean + rng.normal(0, self.noise, clean.shape)
        images = np.clip(noisy, 0, 255).astype(np.uint8)[..., None]
        return Dataset(images, labels, ("across", "down", "diagonal"), "stripes")


experiment = Experiment(
    name="extend_data",
    supernet=NASBench201Supernet(channels=4, cells=1),
    data=Stripes(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=8), evaluations=24),
)
