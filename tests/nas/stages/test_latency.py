"""Measuring a device, and searching by what it takes."""

import csv
import dataclasses
import json
import signal

import jax
import numpy as np
import pytest

from nas.errors import UserError
from nas.latency import CSVLatency
from nas.latency.record import LatencyRecord
from nas.run import Run
from nas.runtime.signals import Interrupted
from nas.search import NSGA2, RandomSearch, Search
from nas.settings import Latency
from nas.stages import latency as stage
from nas.stages.export import picked
from nas.stages.search import make_loop

# Minutes of compiling together; the contract of controllers stays at the gate.
pytestmark = pytest.mark.slow

MS = np.array([[0.2, 0.1], [0.4, 0.3], [0.9, 0.7]])  # by width and activation


def synthetic(run, genotype):
    """What `measured` gives, without a device."""
    synthetic.calls += 1
    ms = float(MS[tuple(genotype)]) * synthetic.factor
    costs = run.supernet.costs(genotype[None])
    return {
        "id": run.supernet.space.id(genotype),
        "genotype": genotype.tolist(),
        "median_ms": ms,
        "quartiles_ms": [0.9 * ms, 1.1 * ms],
        "runs": 30,
        "compile_seconds": 0.0,
    } | {name: int(costs[name][0]) for name in ("macs", "params")}


@pytest.fixture
def device(monkeypatch):
    """A device whose latencies are `MS`."""
    synthetic.calls, synthetic.factor = 0, 1.0
    monkeypatch.setattr(stage, "measured", synthetic)
    return synthetic


def quiet(experiment, workdir=None, **changes):
    experiment = dataclasses.replace(experiment, **changes)
    return Run(experiment, workdir, notify=lambda _: None)


def by_latency(**changes):
    settings = {"objectives": ("nll", "latency_ms"), "evaluations": 6}
    return Search(RandomSearch(population=3), **(settings | changes))


def test_a_sample_has_both_ends_and_holds_some_out(experiment):
    run = quiet(experiment, latency=Latency(samples=8, held_out=4))
    genotypes, fit = stage.sample(run)
    macs = run.supernet.costs(genotypes)["macs"]
    assert len(np.unique(genotypes, axis=0)) == 6 and fit.sum() == 4
    assert fit[macs.argmin()] or fit[macs == macs.min()].any()
    assert fit[macs == macs.max()].any()
    again, same = stage.sample(run)
    np.testing.assert_array_equal(again, genotypes)
    np.testing.assert_array_equal(same, fit)


def test_one_network_is_compiled_and_timed(experiment):
    run = quiet(experiment, latency=Latency(batch_size=3))
    entry = stage.measured(run, np.array([1, 0], np.int32))
    low, high = entry["quartiles_ms"]
    assert 0 < low <= entry["median_ms"] <= high and entry["runs"] >= 20
    assert entry["id"] == "1-0" and entry["macs"] == 1184


def test_what_is_measured_is_kept_and_not_measured_again(
    experiment, device, tmp_path, monkeypatch
):
    def stop_at_third(run, genotype):
        if device.calls == 2:
            signal.raise_signal(signal.SIGTERM)
        return synthetic(run, genotype)

    monkeypatch.setattr(stage, "measured", stop_at_third)
    with quiet(experiment, tmp_path) as run:
        with pytest.raises(Interrupted):
            run.profile_latency()
        assert not run.workdir.latency.exists() and run.latency is None
        kept = LatencyRecord.load(run.workdir.checkpoints / "latency.json")
        assert len(kept.entries) == 3
        run.profile_latency()
        assert device.calls == 6
        record = LatencyRecord.load(run.workdir.latency)
        every = run.supernet.space.enumerate()
        np.testing.assert_array_equal(run.latency(every), MS.reshape(-1))
        assert run.profile_latency() == record and device.calls == 6
    assert set(record.held_out) == {stage.MODEL, stage.BASELINE}
    assert all(e["n"] == 2 and e["mape"] >= 0 for e in record.held_out.values())
    told = dict(stage.rows_of(record))
    assert told["networks measured"] == "6, 4 fitted"
    assert told["between quartiles of a network's runs"] == "20.0% of it"
    worse = {stage.MODEL: {"tau": 0.2}, stage.BASELINE: {"tau": 0.5}}
    (line,) = stage.advice(dataclasses.replace(record, held_out=worse))
    assert "--latency.samples" in line
    # Of batches of another size nothing is known.
    with quiet(experiment, tmp_path, latency=Latency(batch_size=2)) as run:
        run.profile_latency()
    assert device.calls == 12


def test_a_search_asks_for_the_latency(experiment, device, workdir):
    with quiet(experiment, workdir) as run:
        run.profile_latency()
        before = run.workdir.archive.read_text()
    assert "latency_ms" not in before
    search = by_latency(where=("latency_ms<=0.4",))
    with quiet(experiment, workdir, search=search) as run:
        assert run.columns[-1] == "latency_ms"
        run.search()
        members = run.front()
        assert run.searched[0].search is run.experiment.search
    with (workdir / "archive.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Also those that a search without latencies had evaluated.
    assert {row["search"] for row in rows} == {"0"} and len(rows) == 6
    for row in rows:
        width, activation = map(int, row["genotype"].split())
        assert float(row["latency_ms"]) == MS[width, activation]
    front = json.loads((workdir / "front.json").read_text())
    for entry in front:
        assert entry["objectives"]["latency_ms"] == MS[tuple(entry["genotype"])] <= 0.4
        assert isinstance(entry["objectives"]["macs"], int)
    assert picked(members, "knee", "latency_ms")[0] in members


def test_other_latencies_are_another_search(experiment, device, workdir):
    search = by_latency()
    with quiet(experiment, workdir) as run:
        run.profile_latency()
    for number in (1, 1, 2):
        if number == 2:
            device.factor = 3.0
            (workdir / "latency.json").unlink()
            with quiet(experiment, workdir) as run:
                run.profile_latency()
        with quiet(experiment, workdir, search=search) as run:
            run.search()
        assert (workdir / "checkpoints" / f"search_{number}").is_dir()
        assert not (workdir / "checkpoints" / f"search_{number + 1}").exists()
    with quiet(experiment, workdir) as run:  # asks for none, and goes on as before
        assert run.columns[-1] == "bytes"


def test_a_latency_that_nobody_knows_is_refused(experiment, tmp_path):
    for search in (
        by_latency(),
        by_latency(objectives=("nll",), where=("latency_ms<1",)),
    ):
        with pytest.raises(UserError, match=r"latency_ms is asked for.*--latency"):
            quiet(experiment, search=search)
    other = tmp_path / "mine.csv"
    other.write_text("depth,latency_ms\n1,2\n")
    with pytest.raises(UserError, match="no column says which architecture"):
        quiet(experiment, search=by_latency(), latency=Latency(CSVLatency(str(other))))


def test_the_controller_proposes_only_what_is_fast_enough(experiment, tmp_path):
    path = tmp_path / "mine.csv"
    rows = [f"{w} {a},{MS[w, a]}" for w in range(3) for a in range(2)]
    path.write_text("\n".join(["genotype,latency_ms", *rows]) + "\n")
    latency = Latency(CSVLatency(str(path)))
    search = Search(
        NSGA2(population=4), ("nll", "latency_ms"), 6, ("latency_ms<=0.35",)
    )
    run = quiet(experiment, search=search, latency=latency)

    def evaluate(genotypes):
        table = {"nll": genotypes.sum(1) * 0.1, "error": genotypes.sum(1) * 0.01}
        return table | run.costs(genotypes)

    loop = make_loop(run, evaluate)
    state = loop.init(jax.random.key(0))
    while not loop.done(state):
        state = loop.step(state)
    archive = loop.archive(state)
    assert len(archive) == 3 and archive.column("latency_ms").max() <= 0.35
    with pytest.raises(UserError, match=r"smallest latency_ms of all 6 .* is 0.1"):
        quiet(
            experiment, search=by_latency(where=("latency_ms<=0.01",)), latency=latency
        )


def test_settings_are_checked():
    for name, value in (("samples", 3), ("held_out", 1), ("runs", 19), ("warm_up", 0)):
        with pytest.raises(UserError, match=f"latency: {name} is {value}"):
            Latency(**{name: value})
    with pytest.raises(UserError, match="is no LatencySource"):
        Latency(source="latency.json")
