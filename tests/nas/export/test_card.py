import numpy as np
import pytest

from nas.data import Images, Tokens
from nas.evaluation import wilson
from nas.export.card import Evaluation, evaluate_program, measure_latency
from tests.nas.export.conftest import Labelled


@pytest.mark.parametrize("batch_size", [1, 4, 5, 64])
@pytest.mark.parametrize("places", [(), (6,)])
def test_each_example_counts_once(batch_size, places):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9, *places, 3)).astype(np.float32)
    labels = rng.integers(0, 3, (9, *places)).astype(np.int32)
    inputs = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)

    def program(x):
        return logits[x[:, 0, 0, 0]]

    found = evaluate_program(program, Labelled(inputs, labels), batch_size)
    flat, truth = logits.reshape(-1, 3), labels.ravel()
    probability = np.exp(flat) / np.exp(flat).sum(-1, keepdims=True)
    wrong = flat.argmax(-1) != truth
    assert (found.num_examples, found.num_places) == (9, places[0] if places else 1)
    assert found.error == pytest.approx(wrong.mean())
    assert found.error_variance == pytest.approx(wrong.reshape(9, -1).mean(1).var())
    assert found.nll == pytest.approx(
        -np.log(probability[np.arange(len(truth)), truth]).mean()
    )


def test_a_card_says_on_how_much_it_was_measured():
    found = Evaluation(100, 1, error=0.25, error_variance=0.1875, nll=1.0)
    assert found.to_json(Images()) == {
        "error": 0.25,
        "error_interval": pytest.approx(wilson(25, 100)),
        "nll": 1.0,
        "num_images": 100,
    }
    text = Tokens(2, "character", (65, 66))
    found = Evaluation(100, 8, error=0.25, error_variance=0.01, nll=2.0).to_json(text)
    assert found["num_windows"] == 100
    assert found["num_tokens"] == 800
    assert found["bits_per_character"] == pytest.approx(2 / np.log(2))
    broken = Evaluation(100, 8, error=0.25, error_variance=0.01, nll=np.nan)
    assert broken.to_json(text)["bits_per_character"] is None


def test_card_of_the_exported_file(exported, trained):
    labels = trained.arguments["report"].labels
    answers = np.asarray(trained.arguments["reference_logits"]).argmax(-1)
    error = np.mean(answers != labels)
    low, high = exported.card["error_interval"]
    assert exported.card["error"] == pytest.approx(error)
    assert 0 <= low <= error <= high <= 1


def test_latency_is_timed_after_the_warm_up():
    calls = []
    latency = measure_latency(calls.append, np.zeros((1, 2)), num_runs=4, num_warm_up=3)
    assert len(calls) == 7
    low, high = latency["quartiles_ms"]
    assert 0 <= low <= latency["median_ms"] <= high
