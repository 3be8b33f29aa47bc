import dataclasses

import numpy as np
import pytest

from nas import Run
from nas.comparison.outcomes import find_outcomes
from nas.strategies import Paths
from tests.nas.training.parts import Cycle, ignore, stop_at, tiny


def test_what_a_training_used_up_is_exact_and_survives_a_stop(tmp_path, monkeypatch):
    """Examples and multiply-accumulates by hand; seconds go on where they were."""
    # Two architectures a step, so the three come round every third step.
    genotypes = np.array([[0, 0], [1, 1], [2, 1]])
    sampler = Cycle(tuple(map(tuple, genotypes.tolist())), paths=2)
    training = dataclasses.replace(tiny().training, steps=6, log_every=3)
    experiment = tiny(strategy=Paths(sampler), training=training)
    with monkeypatch.context() as patch, Run(experiment, tmp_path, ignore) as run:
        stop_at(patch, 4)
        with pytest.raises(Exception, match="after step 4"):
            run.train()
    with Run(experiment, tmp_path, ignore) as run:
        run.train()
        macs = run.supernet.costs(genotypes)["macs"]
    ((outcome,), _) = find_outcomes([tmp_path])
    examples = 16 * 2 * 6
    assert outcome.budget.total("examples") == examples
    assert macs.min() < macs.max()
    exact = 3 * macs.mean() * examples
    assert outcome.budget.total("active_macs") == pytest.approx(exact, rel=1e-6)
    seconds = outcome.curves["budget/device_seconds"][1]
    assert 0 < seconds[0] < seconds[1] < 60


def test_names_of_budgets_are_documented():
    from nas.comparison.budgets import MEAN_MACS, TITLES
    from nas.runtime.metrics import CLOCK, SCALARS

    assert MEAN_MACS in SCALARS
    for name in ("examples", "device_seconds"):
        assert f"budget/{name}" in SCALARS and name in TITLES
    assert "budget/device_seconds" in CLOCK
