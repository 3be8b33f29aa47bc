"""The embedded digits."""

import numpy as np

from nas.data import Digits


def test_digits_fill_the_range_of_bytes():
    data = Digits().load()
    assert data.inputs.shape == (1797, 8, 8, 1)
    assert data.input_shape == (8, 8, 1)
    assert data.num_classes == 10
    # The 17 grey levels of the original, spread over 0..255.
    assert np.array_equal(
        np.unique(data.inputs), np.rint(np.arange(17) * 255 / 16).astype(np.uint8)
    )
