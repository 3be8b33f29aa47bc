"""Updates: what moves, what stays, by how much, and when."""

import itertools
import math

import jax
import numpy as np
import optax
import pytest

from nas import Training
from nas.errors import UserError
from nas.strategies import Paths
from nas.training.optimizer import SGD, AdamW
from tests.nas.training.parts import Bench, Cycle, first, tiny

WIDE, NARROW = (2, 1), (0, 0)
STEPS = 6
# A wide step fills the optimiser's state of what narrow steps then leave out.
SAMPLER = Cycle((WIDE, NARROW, NARROW, WIDE, NARROW, NARROW))
OPTIMIZERS = {
    "sgd": SGD(weight_decay=0.1, schedule="constant"),
    "adamw": AdamW(weight_decay=0.1, schedule="constant"),
}


def moments(opt_state):
    """The optimiser's arrays that are shaped like weights, by name."""
    found = {}
    for name in ("trace", "mu", "nu"):
        tree = optax.tree_utils.tree_get(opt_state, name)
        if tree is not None:
            found[name] = first(tree)
    assert found
    return found


@pytest.fixture(scope="module", params=sorted(OPTIMIZERS))
def benches(request):
    """The same training under both policies: `{policy: (bench, states)}`."""
    found = {}
    for policy in ("skip", "decay_and_momentum"):
        optimizer = OPTIMIZERS[request.param]
        optimizer = type(optimizer)(
            weight_decay=0.1, schedule="constant", inactive=policy
        )
        bench = Bench(tiny(optimizer=optimizer, strategy=Paths(sampler=SAMPLER)))
        found[policy] = (bench, list(bench.states(STEPS)))
    return found


def test_skip_leaves_what_a_step_did_not_use(benches):
    bench, states = benches["skip"]
    used = [bench.activity(genotype) for genotype in SAMPLER.genotypes]
    seen = 0
    for active, before, after in zip(used, states, states[1:], strict=False):
        trees = {"params": (first(before["params"]), first(after["params"]))}
        for name, old in moments(before["opt_state"]).items():
            trees[name] = (old, moments(after["opt_state"])[name])
        for name, (old, new) in trees.items():
            for a, x, y in zip(*map(jax.tree.leaves, (active, old, new)), strict=True):
                idle = a == 0
                assert x[idle].tobytes() == y[idle].tobytes(), name
                # What stays must be something that could have moved.
                seen += name != "params" and bool(np.any(x[idle] != 0))
                live = (a > 0) & ((x != 0) | (y != 0))
                assert (x[live] != y[live]).mean() > 0.9, name
    assert seen


def test_decay_and_momentum_moves_the_unused_as_a_zero_gradient_does(benches):
    bench, states = benches["decay_and_momentum"]
    optimizer = bench.step.optimizer
    compared = 0
    for i, genotype in enumerate(SAMPLER.genotypes[:STEPS]):
        before, after = states[i], states[i + 1]
        old, new = moments(before["opt_state"]), moments(after["opt_state"])
        flat = [first(before["params"]), first(after["params"])]
        active = jax.tree.leaves(bench.activity(genotype))
        for n, a in enumerate(active):
            idle = a == 0
            p, q = (jax.tree.leaves(tree)[n][idle].astype(np.float64) for tree in flat)
            state = {name: jax.tree.leaves(tree)[n][idle] for name, tree in old.items()}
            want, moved = zero_gradient(optimizer, p, state, i + 1)
            np.testing.assert_allclose(q, want, rtol=2e-5, atol=1e-8)
            for name, value in moved.items():
                found = jax.tree.leaves(new[name])[n][idle]
                np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-8)
            compared += idle.sum()
            if i and idle.any():
                assert np.any(p != q)
    assert compared


def zero_gradient(optimizer, p, state, count):
    """The textbook's update for a gradient of zero: the weights and the moments."""
    rate, decay = optimizer.learning_rate, optimizer.weight_decay
    state = {name: value.astype(np.float64) for name, value in state.items()}
    if isinstance(optimizer, SGD):
        trace = optimizer.momentum * state["trace"] + decay * p
        return p - rate * trace, {"trace": trace}
    mu = optimizer.beta_1 * state["mu"]
    nu = optimizer.beta_2 * state["nu"]
    m_hat = mu / (1 - optimizer.beta_1**count)
    v_hat = nu / (1 - optimizer.beta_2**count)
    step = m_hat / (np.sqrt(v_hat) + 1e-8) + decay * p
    return p - rate * step, {"mu": mu, "nu": nu}


@pytest.mark.parametrize("clip_norm", [0.0, 2.0, 100.0])
def test_clipping_is_by_the_global_norm(clip_norm):
    optimizer = SGD(
        learning_rate=0.5,
        weight_decay=0.0,
        momentum=0.0,
        schedule="constant",
        clip_norm=clip_norm,
    )
    grads = {"a": np.array([3.0, 0.0], np.float32), "b": np.array([4.0], np.float32)}
    tx = optimizer.build(10)
    updates, _ = tx.update(grads, tx.init(grads), grads)
    scale = min(1.0, clip_norm / 5) if clip_norm else 1.0
    for name, grad in grads.items():
        np.testing.assert_allclose(updates[name], -0.5 * scale * grad, rtol=1e-6)


@pytest.mark.parametrize("warmup", [0, 10])
@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_schedule(warmup, final):
    optimizer = SGD(learning_rate=0.4, warmup_steps=warmup, final_fraction=final)
    rate = optimizer.rate(110)
    for step in range(0, 111, 5):
        if step < warmup:
            want = 0.4 * step / warmup
        else:
            done = (step - warmup) / (110 - warmup)
            cosine = (1 + math.cos(math.pi * done)) / 2
            want = 0.4 * (final + (1 - final) * cosine)
        assert float(rate(np.float32(step))) == pytest.approx(want, abs=1e-6)


def test_step_clips_follows_the_schedule_and_logs_the_whole_gradient():
    optimizer = SGD(
        learning_rate=0.5,
        weight_decay=0.0,
        momentum=0.0,
        clip_norm=1e-2,
        warmup_steps=2,
    )
    states = list(Bench(tiny(optimizer=optimizer)).states(4))
    moved = []
    for before, after in itertools.pairwise(states):
        move = jax.tree.map(lambda x, y: x - y, before["params"], after["params"])
        moved.append(float(optax.tree.norm(move)))
    rate = optimizer.rate(12)
    wanted = [1e-2 * float(rate(np.float32(step))) for step in range(4)]
    assert wanted[0] == 0 and wanted[1] == pytest.approx(0.0025)
    np.testing.assert_allclose(moved, wanted, rtol=1e-3, atol=1e-9)
    assert float(states[-1]["log"]["grad_norm"]) > 4 * 0.1


def test_constant_schedule():
    rate = SGD(learning_rate=0.4, schedule="constant").rate(10)
    assert [float(rate(np.float32(s))) for s in (0, 5, 10)] == pytest.approx([0.4] * 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"clip_norm": -1.0},
        {"schedule": "cosin"},
        {"inactive": "drop"},
    ],
)
def test_impossible_settings(changes):
    with pytest.raises(UserError, match=f"optimizer: {next(iter(changes))} is"):
        SGD(**changes)


def test_warmup_longer_than_training():
    training = Training(steps=12, batch_size=16)
    with pytest.raises(UserError, match="warm up for fewer"):
        Bench(tiny(optimizer=SGD(warmup_steps=12), training=training))
