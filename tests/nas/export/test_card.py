import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from nas.export.card import Evaluation, evaluate_program, measure_latency


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_equals_scipy(counts):
    reference = binomtest(*counts).proportion_ci(0.95, method="wilson")
    found = Evaluation(num_images=counts[1], num_errors=counts[0], nll=0.0).to_json()
    np.testing.assert_allclose(found["error_interval"], reference, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 4, 5, 64])
def test_each_example_counts_once(batch_size):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(9, 3)).astype(np.float32)
    labels = rng.integers(0, 3, 9).astype(np.int32)

    class Split:
        pass

    split = Split()
    split.inputs = np.arange(9, dtype=np.uint8).reshape(9, 1, 1, 1)
    split.labels = labels
    found = evaluate_program(lambda x: logits[x[:, 0, 0, 0]], split, batch_size)
    probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert found.num_images == 9
    assert found.num_errors == sum(logits[i].argmax() != labels[i] for i in range(9))
    assert found.nll == pytest.approx(-np.log(probability[np.arange(9), labels]).mean())


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
