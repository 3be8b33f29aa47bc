"""What a step tells its sampler, against the plainest definitions."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nas.losses import CrossEntropy, Loss
from nas.strategies import Batch, Context, Paths
from nas.strategies.paths import option_sqnorm
from search_spaces import Architecture
from supernets import Outputs
from supernets.vision_transformer import TINY
from tests.nas.training.parts import Cycle, two_edges, two_layers


@dataclasses.dataclass(frozen=True)
class Listening(Cycle):
    """Keeps what it is told as its state."""

    NEEDS = frozenset({"option_sqnorm", "example_score"})

    def update(self, state, feedback):
        return feedback


@dataclasses.dataclass(frozen=True)
class Margin(Loss):
    """A loss whose gradient at the logits is not that of cross-entropy."""

    def __call__(self, outputs, labels):
        logits = outputs.logits
        right = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
        return jnp.square(logits.max(1) - right) + 0.1 * jnp.square(logits).sum(1)


def context_of(supernet):
    def forward(params, arch, x, key):
        return supernet.apply(params, None, arch, x, train=True, key=key)

    return Context(supernet.space, forward, supernet.activity, supernet.cost_order())


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(8, 8, 8, 1)), jnp.float32)
    labels = jnp.asarray(rng.integers(10, size=8), jnp.int32)
    return Batch(x, labels, jnp.arange(8, dtype=jnp.int32))


GENOTYPES = ((1, 0), (2, 1))


@pytest.mark.parametrize("loss", [CrossEntropy(), CrossEntropy(0.2), Margin()])
def test_example_score_is_the_gradient_at_the_logits(batch, loss):
    supernet = two_layers()
    params = supernet.init(jax.random.key(0))
    strategy = Paths(Listening(GENOTYPES, paths=2), loss)
    step = jax.jit(functools.partial(strategy.gradients, context_of(supernet)))
    allowed = jnp.asarray(supernet.space.valid)
    result = step(jnp.int32(0), params, {"weights": batch}, jax.random.key(1), allowed)
    feedback = result.state
    norms, losses = [], []
    for genotype in GENOTYPES:
        arch = Architecture.hard(supernet.space, np.array(genotype))
        outputs = supernet.apply(params, None, arch, batch.x, train=True)

        def one(logits, label, outputs=outputs):
            return loss(outputs._replace(logits=logits[None]), label[None])[0]

        slopes = jax.vmap(jax.grad(one))(outputs.logits, batch.labels)
        norms.append(np.linalg.norm(slopes, axis=1))
        losses.append(float(loss(outputs, batch.labels).mean()))
    np.testing.assert_allclose(feedback.example_score, np.mean(norms, 0), rtol=1e-4)
    np.testing.assert_allclose(feedback.loss, losses, rtol=1e-5)
    assert np.ptp(feedback.example_score) > 1e-2
    assert feedback.genotypes.tolist() == [list(g) for g in GENOTYPES]


@pytest.mark.parametrize("places", [(), (4,)])
def test_example_score_with_features_is_the_gradient_of_the_last_kernel(places):
    rng = np.random.default_rng(0)
    features = jnp.asarray(rng.normal(size=(6, *places, 5)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
    labels = jnp.asarray(rng.integers(3, size=(6, *places)), jnp.int32)
    loss = CrossEntropy()

    def one(kernel, features, label):
        outputs = Outputs((features @ kernel)[None], features[None], {})
        return loss(outputs, label[None])[0]

    slopes = jax.vmap(jax.grad(one), (None, 0, 0))(kernel, features, labels)
    outputs = Outputs(features @ kernel, features, {})
    found = Paths(loss=loss)._score(outputs, labels, None, True)
    wanted = np.linalg.norm(slopes.reshape(6, -1), axis=1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_sampler_gets_only_what_it_asks_for(batch):
    @dataclasses.dataclass(frozen=True)
    class Deaf(Listening):
        NEEDS = frozenset()

    supernet = two_layers()
    strategy = Paths(Deaf(GENOTYPES, paths=2))
    result = jax.eval_shape(
        functools.partial(strategy.gradients, context_of(supernet)),
        jnp.int32(0),
        jax.eval_shape(supernet.init, jax.random.key(0)),
        {"weights": batch},
        jax.random.key(1),
        jnp.asarray(supernet.space.valid),
    )
    assert result.state.example_score is None
    assert result.state.option_sqnorm is None
    assert result.state.loss.shape == (2,)


def test_option_norms_of_each_architecture_in_a_step(batch):
    supernet = two_layers()
    params = supernet.init(jax.random.key(0))
    strategy = Paths(Listening(GENOTYPES, paths=2))
    step = jax.jit(functools.partial(strategy.gradients, context_of(supernet)))
    allowed = jnp.asarray(supernet.space.valid)
    result = step(jnp.int32(0), params, {"weights": batch}, jax.random.key(1), allowed)
    want = np.zeros((2, 2, 3))
    for k, (width, _) in enumerate(GENOTYPES):
        arch = Architecture.hard(supernet.space, np.array(GENOTYPES[k]))

        def mean(params, arch=arch):
            logits = supernet.apply(params, None, arch, batch.x, train=True).logits
            return optax.losses.softmax_cross_entropy_with_integer_labels(
                logits, batch.labels
            ).mean()

        grads = jax.grad(mean)(params)
        # All but the classifier's bias depend on the width; nothing on the activation.
        want[k, 0, width] = sum(
            float(jnp.square(g).sum())
            for g in (
                grads["hidden"]["kernel"],
                grads["hidden"]["bias"],
                grads["classifier"]["kernel"],
            )
        )
    np.testing.assert_allclose(result.state.option_sqnorm, want, rtol=1e-4)
    assert want.max() > 1e-4


def random_gradient(supernet, genotype, seed):
    """Noise where an architecture uses weights, zero elsewhere."""
    shapes = jax.eval_shape(supernet.init, jax.random.key(0))
    arch = Architecture.hard(supernet.space, genotype)
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda s, a: jnp.asarray(
            rng.normal(size=s.shape) * np.asarray(a > 0), jnp.float32
        ),
        shapes,
        supernet.activity(arch),
    )


def test_option_norms_of_operations_on_edges():
    supernet = two_edges()
    space = supernet.space
    compute = jax.jit(functools.partial(option_sqnorm, context_of(supernet)))
    for genotype in np.asarray(space.sample(jax.random.key(0), 3)):
        arch = Architecture.hard(space, genotype)
        grads = random_gradient(supernet, genotype, 0)
        found = compute(arch, grads)
        want = np.zeros(space.valid.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
            names = [str(p.key) for p in path]
            if names[0].startswith("stage_"):
                edge, operation = int(names[2]), int(names[4])
                want[edge, operation] += float(jnp.square(leaf).sum())
        np.testing.assert_allclose(found, want, rtol=1e-5)
        assert np.count_nonzero(want) == sum(
            o in (2, 3)
            for o, n in zip(genotype, space.num_options, strict=True)
            if n > 1
        )


def test_option_norms_count_a_weight_once_for_each_decision():
    # Embeddings reach most tensors twice, and depths gate them: neither counts double.
    supernet, space = TINY, TINY.space
    compute = jax.jit(functools.partial(option_sqnorm, context_of(supernet)))
    activity = jax.jit(supernet.activity)
    for genotype in np.asarray(space.sample(jax.random.key(3), 3)):
        arch = Architecture.hard(space, genotype)
        grads = random_gradient(supernet, genotype, 1)
        found = np.asarray(compute(arch, grads))
        squares = jax.tree.map(jnp.square, grads)
        for d, name in enumerate(space.names):
            weights = arch.weights.at[d].set(0)
            without = activity(dataclasses.replace(arch, weights=weights))
            gone = jax.tree.map(
                lambda s, a: float(jnp.where(a == 0, s, 0).sum()), squares, without
            )
            want = np.zeros(space.max_options)
            want[int(arch.indices[d])] = sum(jax.tree.leaves(gone))
            np.testing.assert_allclose(found[d], want, rtol=1e-4, err_msg=name)
