"""Entangled widths, mixtures and splits in one run: traces, resume, devices.

What holds for each way of sharing weights has to hold for all of them at once, for
architectures drawn hard and for soft ones whose alphas are trained.
"""

import jax
import numpy as np
import pytest

from nas import Run
from nas.cli.experiments import load_experiment
from nas.partition import FewShot, GradientMatching
from nas.runtime.mesh import MeshConfig, host
from nas.runtime.signals import Interrupted
from nas.strategies import Paths
from nas.training.step import TrainStep
from supernets.weights import Mixture, WeightedSupernet
from tests.nas.training.parts import EXTEND, ignore, same, stop_at, tiny, two_layers

SCORE = GradientMatching(repeats=2, min_repeats=2, batch_size=16, stability=0.0)
FOUR = MeshConfig(data=2, supernets=2)


def composed(kind, **changes):
    """Hard paths by neuron, parts that inherit; or soft ones by layer, that restart."""
    hard = kind == "hard"
    weight = Mixture(hidden=4, granularity="neuron" if hard else "layer")
    supernet = WeightedSupernet(two_layers(), (("hidden", weight),))
    soft = load_experiment(str(EXTEND / "strategy.py"))[0].strategy
    children = "inherit" if hard else "restart"
    return tiny(
        supernet=supernet,
        strategy=Paths() if hard else soft,
        partition=FewShot(at=(4,), score=SCORE, children=children),
        **changes,
    )


SOFT = pytest.param("soft", marks=pytest.mark.slow)


@pytest.fixture(scope="module", params=["hard", SOFT])
def whole(request, tmp_path_factory):
    """A run that nobody stopped, and how often its step was traced."""
    traced = []
    call = TrainStep.__call__

    def counted(self, state, data):
        traced.append(state["allowed"].shape[0])
        return call(self, state, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainStep, "__call__", counted)
        folder = tmp_path_factory.mktemp(request.param)
        with Run(composed(request.param), folder, notify=ignore) as run:
            state = host(run.train())
            front = run.search()
    return request.param, state, front, traced


def interrupt(experiment, folder, told, monkeypatch):
    """Train until told to stop."""
    run = Run(experiment, folder, notify=ignore)
    with monkeypatch.context() as patch, run, pytest.raises(Interrupted):
        stop_at(patch, told)
        run.train()


def test_the_step_is_traced_once_for_each_number_of_parts(whole):
    assert whole[3] == [1, 2]


def test_experts_and_parts_are_there_and_differ(whole):
    experts = whole[1]["params"]["hidden"]["experts"]["kernel"]
    assert experts.shape == (2, 2, 64, 32)
    for a, b in ((experts[0], experts[1]), (experts[:, 0], experts[:, 1])):
        assert not np.array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "told",
    [
        pytest.param(3, marks=pytest.mark.slow),
        5,
        pytest.param(9, marks=pytest.mark.slow),
    ],
)
def test_a_stopped_run_ends_bitwise_equal(whole, told, tmp_path, monkeypatch):
    kind, state, front, _ = whole
    interrupt(composed(kind), tmp_path, told, monkeypatch)
    with Run(composed(kind), tmp_path, notify=ignore) as run:
        assert same(host(run.train()), state)
        np.testing.assert_array_equal(run.search(), front)


# At the gate tests/nas/test_topology.py holds this, of a run in which less is composed.
@pytest.mark.slow
def test_devices_do_not_matter_and_checkpoints_move_between_them(
    whole, tmp_path, monkeypatch
):
    kind, state, _, _ = whole
    interrupt(composed(kind, mesh=FOUR), tmp_path, 8, monkeypatch)
    with Run(composed(kind), tmp_path, notify=ignore) as run:
        moved = host(run.train())
    np.testing.assert_array_equal(moved["allowed"], state["allowed"])
    for a, b in zip(
        *map(jax.tree.leaves, (moved["params"], state["params"])), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_parts_count_only_what_they_allow(whole):
    _, state, _, _ = whole
    # The second part has drawn nothing before the split.
    assert (state["counts"][1][~state["allowed"][1]] == 0).all()
    assert state["counts"][1].any()
