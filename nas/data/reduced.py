"""A fixed, smaller part of another data set: fewer and smaller images.

For studies that train hundreds of networks. What was left out is said in the notes, so
that nobody holds the numbers against those of the whole set.
"""

import dataclasses

import numpy as np

from nas.data.base import Dataset, DataSource
from nas.data.split import stratified_indices
from nas.errors import UserError, check_least


@dataclasses.dataclass(frozen=True)
class Reduced(DataSource):
    """Images of another source: a fixed sample, cropped and averaged over blocks."""

    source: DataSource
    """Where the images come from; there must be an official test set."""

    train: int = 0
    """Training images to keep, in the proportions of the classes; 0: all."""

    test: int = 0
    """Test images to keep, likewise; 0: all."""

    crop: int = 0
    """Pixels to cut off on each side."""

    block: int = 1
    """Blocks of so many by so many pixels become one, their mean."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_least("data", self, train=0, test=0, crop=0, block=1)

    def load(self) -> Dataset:
        """Load the source and reduce it; see `DataSource.load`."""
        whole = self.source.load()
        if whole.test_inputs is None or whole.test_labels is None:
            raise UserError(
                f"{whole.source}: has no test set, and only data with one can be "
                "reduced. Take the whole set."
            )
        names = whole.class_names
        rows = _sample(whole.labels, self.train, names, whole.source)
        tests = _sample(whole.test_labels, self.test, names, whole.source)
        inputs = self._shrink(whole.inputs[rows], whole.source)
        side = "x".join(str(n) for n in inputs.shape[1:3])
        return dataclasses.replace(
            whole,
            inputs=inputs,
            labels=whole.labels[rows],
            test_inputs=self._shrink(whole.test_inputs[tests], whole.source),
            test_labels=whole.test_labels[tests],
            notes=(
                f"A reduced set: {len(rows):,} training and {len(tests):,} test images "
                f"of {side} pixels. Do not compare with published numbers.",
            ),
        )

    def _shrink(self, images: np.ndarray, source: str) -> np.ndarray:
        """Crop and average `uint8[N, H, W, C]`."""
        if images.ndim != 4:
            raise UserError(f"{source}: only images can be reduced.")
        num, height, width, channels = images.shape
        height, width = height - 2 * self.crop, width - 2 * self.crop
        if min(height, width) < self.block or height % self.block or width % self.block:
            raise UserError(
                f"{source}: after cropping {self.crop} pixels on each side, images "
                f"are {height}x{width}, which blocks of {self.block} do not divide. "
                "Choose another data.crop or data.block."
            )
        kept = images[:, self.crop :, self.crop :][:, :height, :width]
        blocks = kept.reshape(
            num,
            height // self.block,
            self.block,
            width // self.block,
            self.block,
            channels,
        )
        return np.rint(blocks.mean((2, 4))).astype(np.uint8)


def _sample(
    labels: np.ndarray, num: int, names: tuple[str, ...], source: str
) -> np.ndarray:
    """Give the indices of a fixed sample, in the proportions of the classes."""
    if num == 0 or num == len(labels):
        return np.arange(len(labels))
    if num > len(labels):
        raise UserError(
            f"{source}: {num} images were asked for, and there are {len(labels)}."
        )
    # Each class is rounded by itself: take a few more, which come shuffled, and cut.
    share = min(num + len(names), len(labels) - len(names)) / len(labels)
    return stratified_indices(labels, (share, 1 - share), 0, names)[0][:num]
