"""Scikit-learn's handwritten digits: 1,797 grey images of 8x8, embedded, no download.

Reference: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI
Machine Learning Repository, 1998.
"""

import dataclasses

import numpy as np

from nas.data.base import Dataset, DataSource

NAME = "digits"


@dataclasses.dataclass(frozen=True)
class Digits(DataSource):
    """The handwritten digits that come with scikit-learn; nothing to download."""

    def load(self) -> Dataset:
        """Read the images from the installed package."""
        # Here, because importing scikit-learn takes longer than starting all the rest.
        from sklearn.datasets import load_digits

        pixels, digits = load_digits(return_X_y=True)  # [N, 64] of 0..16, [N]
        images = np.rint(np.asarray(pixels) * (255 / 16)).astype(np.uint8)
        return Dataset(
            inputs=images.reshape(-1, 8, 8, 1),
            labels=np.asarray(digits, np.int32),
            class_names=tuple(str(digit) for digit in range(10)),
            source=NAME,
        )


SOURCE = Digits
