import pytest
from scipy.stats import binomtest

from nas.evaluation import wilson


@pytest.mark.parametrize(
    ("errors", "num"), [(0, 1), (1, 1), (0, 50), (3, 50), (50, 50), (1234, 10000)]
)
def test_wilson_is_scipys(errors, num):
    expected = binomtest(errors, num).proportion_ci(0.95, method="wilson")
    low, high = wilson(errors, num)
    assert low == pytest.approx(expected.low, abs=1e-6)
    assert high == pytest.approx(expected.high, abs=1e-6)
    assert 0 <= low <= errors / num <= high <= 1
