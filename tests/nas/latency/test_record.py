"""`latency.json`: there and back, and what it is refused for."""

import dataclasses
import json

import numpy as np
import pytest

from nas.errors import UserError
from nas.latency import MeasuredLatency
from nas.latency.record import LatencyRecord
from search_spaces import SearchSpace

from .conftest import SPACE, Toy, truth


@pytest.fixture
def record(toy, everything):
    some = everything[np.random.default_rng(0).permutation(39)[:24]]
    costs = toy.costs(some)
    entries = [
        {
            "id": SPACE.id(genotype),
            "genotype": genotype.tolist(),
            "median_ms": float(truth(genotype[None])[0]),
            "quartiles_ms": [0.1, 0.2],
            "runs": 30,
            "compile_seconds": 1.5,
            "macs": int(costs["macs"][i]),
            "params": int(costs["params"][i]),
            "fit": i % 3 != 0,
        }
        for i, genotype in enumerate(some)
    ]
    settings = {"batch_size": 1, "runs": 30}
    device = {"device": "cpu", "machine": "x86_64"}
    return LatencyRecord(
        "toy", SPACE.hash, settings, device, "2026-01-01", tuple(entries), {"a": 1}
    )


def test_it_reads_back_and_predicts(record, toy, everything, tmp_path):
    path = tmp_path / "latency.json"
    record.save(path)
    assert LatencyRecord.load(path) == record
    assert record.fit.sum() == 16 and record.genotypes.shape == (24, 4)
    model = MeasuredLatency(str(path)).load(toy)
    np.testing.assert_allclose(model(everything), truth(everything), rtol=1e-5)
    # Measured ones are predicted like all others.
    assert len(model.genotypes) == 0 and "cpu (x86_64)" in model.text


def test_what_was_measured_elsewhere_is_told_apart(record):
    assert record.same_conditions(dataclasses.replace(record, date="later", entries=()))
    for name in ("space_hash", "settings", "measured_on"):
        assert not record.same_conditions(dataclasses.replace(record, **{name: {}}))


def test_another_space_or_network_is_refused(record, toy, tmp_path):
    path = tmp_path / "latency.json"
    record.save(path)
    source = MeasuredLatency(str(path))
    other = Toy(SearchSpace("other", SPACE.decisions[:2]))
    with pytest.raises(UserError, match=r"latencies of the space 'toy'.*'other'"):
        source.load(other)

    class Wider(Toy):
        def costs(self, genotypes):
            return {n: 4 * v for n, v in super().costs(genotypes).items()}

    with pytest.raises(UserError, match=r"another network of this space.* macs there"):
        source.load(Wider())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"median_ms": -1.0}, r"entries\[5\]: the latency is -1.0"),
        ({"median_ms": float("nan")}, r"entries\[5\]: the latency is nan"),
        ({"genotype": [7, 0, 0, 0]}, r"entries\[5\]"),
        ({"genotype": None}, r"entries\[5\]: architecture .* is there already"),
    ],
)
def test_bad_entries_are_refused(record, toy, tmp_path, change, text):
    change = dict(change)
    if change.get("genotype", 0) is None:
        change["genotype"] = record.entries[0]["genotype"]
    entries = [dict(entry) for entry in record.entries]
    entries[5] |= change
    path = tmp_path / "latency.json"
    value = {"schema": 1} | dataclasses.asdict(record) | {"entries": entries}
    path.write_text(json.dumps(value))
    with pytest.raises(UserError, match=text):
        MeasuredLatency(str(path)).load(toy)


def test_other_files_are_refused(toy, tmp_path):
    path = tmp_path / "latency.json"
    with pytest.raises(UserError, match=r"no such file.*--latency"):
        MeasuredLatency(str(path)).load(toy)
    for content, text in (
        ("{", "cannot be read as JSON"),
        ("[]", "no file of measured latencies"),
        ('{"schema": 9}', "schema 9"),
        ('{"schema": 1}', "no file of measured latencies: it lacks"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=text):
            MeasuredLatency(str(path)).load(toy)
