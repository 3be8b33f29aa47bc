"""The published table as a truth: what it says, and what is refused."""

import dataclasses

import numpy as np
import pytest

from experiments.published.nasbench201_table import (
    ACCURACIES,
    LATENCIES,
    SEEDS,
    NASBench201Table,
)
from nas.errors import UserError
from search_spaces.nasbench201 import cells


@pytest.fixture
def root(tmp_path):
    """A made-up table: the accuracy of cell i is i hundredths of a per cent."""
    folder = tmp_path / "nasbench201"
    folder.mkdir()
    accuracy = np.arange(15_625, dtype=np.float32)[:, None] / 200 + np.zeros(3)
    accuracy[::2, 1:] = np.nan
    arrays = {"ops": cells().astype(np.int8), SEEDS: accuracy.astype(np.float32)}
    np.savez(folder / ACCURACIES, **arrays)
    np.savez(folder / LATENCIES, lat_fpga=np.ones(15_625, np.float32))
    return tmp_path


def test_accuracies_become_errors_and_latencies_columns(root):
    table = NASBench201Table(str(root)).load()
    assert len(table) == 15_625 and len(table.complete()) == 7_812
    np.testing.assert_allclose(table.mean()[:3], [1.0, 1 - 5e-5, 1 - 1e-4], rtol=1e-6)
    assert list(table.columns) == ["latency_ms_fpga"]
    assert np.isnan(table.nll).all()


def test_damaged_tables_are_refused(root):
    source = NASBench201Table(str(root))
    path = root / "nasbench201" / ACCURACIES
    good = dict(np.load(path))
    cases = {
        "not in the order": good | {"ops": good["ops"][::-1]},
        "some are missing": {name: values[1:] for name, values in good.items()},
        "it lacks": {"ops": good["ops"]},
    }
    for message, arrays in cases.items():
        np.savez(path, **arrays)
        with pytest.raises(UserError, match=message):
            source.load()
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read"):
        source.load()
    path.unlink()
    with pytest.raises(UserError, match=ACCURACIES):
        source.load()
    with pytest.raises(UserError, match="not a folder"):
        dataclasses.replace(source, root=str(root / "none")).load()
