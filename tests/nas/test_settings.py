import pytest

from nas.errors import UserError
from nas.settings import Export, Finetune, Latency, Ranking, Training, Truth


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (Training, {"checkpoint_every": 0}, "training: checkpoint_every is 0"),
        (Training, {"average": 1.0}, "from 0 to below 1"),
        (Export, {"most": 0}, "export: most is 0"),
        (Finetune, {"batch_size": 0}, "finetune: batch_size is 0, it must be at least"),
        (Finetune, {"learning_rate": float("nan")}, "learning_rate is nan, it must be"),
        (Truth, {"learning_rate": -0.1}, "truth: learning_rate is -0.1"),
        (Ranking, {"examples": -1}, "ranking: examples is -1, it must be at least 0"),
        (Ranking, {"split": "weights"}, "allowed: search, report"),
        (Latency, {"runs": 19}, "latency: runs is 19, it must be at least 20"),
    ],
)
def test_settings_out_of_range_are_refused(kind, changes, message):
    assert kind()
    with pytest.raises(UserError, match=message):
        kind(**changes)
