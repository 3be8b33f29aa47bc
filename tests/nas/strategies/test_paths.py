"""The gradients of several architectures, against the plainest sums of them."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from nas.errors import UserError
from nas.losses import AlphaDivergence, CrossEntropy, KLDivergence
from nas.runtime.mesh import MeshConfig, make_mesh, replicated
from nas.samplers import Fair, Progressive, Ramp, Sandwich, Stage, Uniform
from nas.strategies import Batch, Context, Paths
from search_spaces import Architecture
from tests.nas.training.parts import Bench, Cycle, same, tiny, two_layers

GENOTYPES = ((2, 0), (0, 1), (1, 0), (0, 0), (2, 1))
BATCH = 8


@dataclasses.dataclass(frozen=True)
class Lead(Cycle):
    """Draws given genotypes, the largest first; its state is what it was told."""

    NEEDS = frozenset({"option_sqnorm", "example_score"})
    leads = True

    def sample(self, state, context, key, allowed):
        return super().sample(jnp.int32(0), context, key, allowed)

    def update(self, state, feedback):
        return feedback


def lead(paths):
    return Lead(GENOTYPES[:paths], paths)


def forward(params, arch, x, key=None):
    return two_layers().apply(params, None, arch, x, train=True)


def context_of(mesh=None):
    supernet = two_layers()
    order = supernet.cost_order()
    return Context(supernet.space, forward, supernet.activity, order, mesh=mesh)


@pytest.fixture(scope="module")
def case():
    """Weights and a batch, NumPy."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(BATCH, 8, 8, 1)).astype(np.float32)
    labels = rng.integers(10, size=BATCH).astype(np.int32)
    batch = Batch(x, labels, np.arange(BATCH, dtype=np.int32))
    params = two_layers().init(jax.random.key(0))
    # Larger logits, so that predictions differ.
    return jax.tree.map(lambda w: np.asarray(2 * w), params), batch


def program(strategy, mesh=None):
    allowed = jnp.asarray(two_layers().space.valid)

    def step(params, batch, key):
        context = context_of(mesh)
        state = jnp.int32(0)
        batches = {"weights": batch}
        return strategy.gradients(context, state, params, batches, key, allowed)

    return jax.jit(step)


def logits_of(params, batch, genotype):
    arch = Architecture.hard(two_layers().space, np.array(genotype))
    return forward(params, arch, batch.x).logits


def label_loss(params, batch, genotype):
    losses = optax.losses.softmax_cross_entropy_with_integer_labels
    return losses(logits_of(params, batch, genotype), batch.labels)


def close(found, want, rtol=1e-5):
    for a, b in zip(*map(jax.tree.leaves, (found, want)), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


def kl(p, q):
    return (p * jnp.log(p / q)).sum(-1)


def chi(p, q):
    return ((q**2 / p).sum(-1) - 1) / 2


@pytest.mark.parametrize(
    ("students", "formula", "label_weight"),
    [
        (KLDivergence(), kl, 0.0),
        (KLDivergence(), kl, 0.5),
        (AlphaDivergence(-1.0, -1.0, clip=1e9), chi, 0.0),
    ],
)
def test_students_learn_from_the_first_and_it_from_the_labels(
    case, students, formula, label_weight
):
    params, batch = case
    teacher = jax.nn.softmax(logits_of(params, batch, GENOTYPES[0]))

    def apart(params):
        yield label_loss(params, batch, GENOTYPES[0])
        for genotype in GENOTYPES[1:4]:
            q = jax.nn.softmax(logits_of(params, batch, genotype))
            own = label_weight * label_loss(params, batch, genotype)
            yield formula(teacher, q) + own

    def total(params):
        losses = jnp.stack([losses.mean() for losses in apart(params)])
        return losses.sum(), losses

    (_, losses), want = jax.jit(jax.value_and_grad(total, has_aux=True))(params)
    strategy = Paths(lead(4), students=students, label_weight=label_weight)
    found = program(strategy)(params, batch, jax.random.key(1))
    close(found.grads, want)
    np.testing.assert_allclose(found.state.loss, losses, rtol=1e-5)
    assert float(found.loss) == pytest.approx(float(losses.mean()), rel=1e-5)
    assert found.state.option_sqnorm.shape == (4, 2, 3)
    assert found.state.example_score.shape == (BATCH,)
    assert float(losses[1:].min()) > 1e-2


def test_scores_are_of_what_each_minimises(case):
    params, batch = case
    strategy = Paths(lead(3), students=KLDivergence())
    found = program(strategy)(params, batch, jax.random.key(1))
    p = [np.asarray(jax.nn.softmax(logits_of(params, batch, g))) for g in GENOTYPES[:3]]
    truth = np.eye(10, dtype=np.float32)[batch.labels]
    slopes = [p[0] - truth, p[1] - p[0], p[2] - p[0]]
    want = np.mean([np.linalg.norm(s, axis=1) for s in slopes], axis=0)
    np.testing.assert_allclose(found.state.example_score, want, rtol=1e-4)


def test_sandwich_is_the_sum_of_its_parts(case):
    params, batch = case
    found = program(Paths(Sandwich(random=2)))(params, batch, jax.random.key(3))
    taken = np.asarray(found.architectures.weights).argmax(-1).tolist()
    assert taken[0][0] == 2 and taken[1][0] == 0

    def total(params):
        return sum(label_loss(params, batch, genotype).mean() for genotype in taken)

    close(found.grads, jax.jit(jax.grad(total))(params))


@pytest.mark.parametrize("students", [None, AlphaDivergence()])
def test_one_architecture_is_trained_as_ever(case, students):
    params, batch = case
    key = jax.random.key(2)
    plain = program(Paths(lead(1)))(params, batch, key)
    found = program(Paths(lead(1), students=students, spread=True))(params, batch, key)
    assert same(found, plain)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_only_the_first_is_regularised_and_only_where_it_has_weights(case, reduction):
    params, batch = case
    key, sampler = jax.random.key(1), Lead(((1, 0), (2, 0)), 2)
    plain = program(Paths(sampler, reduction=reduction))(params, batch, key)
    strategy = Paths(sampler, reduction=reduction, regularize=0.3)
    found = program(strategy)(params, batch, key)
    scale = 0.3 / (2 if reduction == "mean" else 1)
    kernel = np.zeros((64, 32), np.float32)
    kernel[:, :16] = scale * params["hidden"]["kernel"][:, :16]
    added = jax.tree.map(jnp.subtract, found.grads, plain.grads)
    np.testing.assert_allclose(added["hidden"]["kernel"], kernel, atol=1e-6)
    np.testing.assert_allclose(
        added["classifier"]["bias"], scale * params["classifier"]["bias"], atol=1e-6
    )
    assert float(found.loss) == float(plain.loss)


# ------------------------------------------------------------ a part on each device
DEVICES = 4


@functools.cache
def mesh_of(data):
    return make_mesh(MeshConfig(data=data), jax.devices()[:data])


def on_devices(case, mesh):
    params, batch = case
    split = NamedSharding(mesh, PartitionSpec("data"))
    return jax.device_put(params, replicated(mesh)), jax.device_put(batch, split)


def keys_of_shifts():
    """A key for each of the shifts."""
    found = {}
    for seed in range(100):
        key = jax.random.key(seed)
        shift = jax.random.randint(jax.random.split(key)[1], (), 0, DEVICES)
        found.setdefault(int(shift), key)
    return [found[shift] for shift in range(DEVICES)]


@pytest.mark.parametrize("students", [None, KLDivergence()])
def test_spread_is_the_whole_in_expectation(case, students):
    paths = DEVICES + (students is not None)
    params, batch = case
    whole = program(Paths(lead(paths), students=students))(
        params, batch, jax.random.key(0)
    )
    mesh = mesh_of(DEVICES)
    step = program(Paths(lead(paths), students=students, spread=True), mesh)
    parts = [
        jax.device_get(step(*on_devices(case, mesh), key)) for key in keys_of_shifts()
    ]
    mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *parts)
    close(mean.grads, whole.grads)
    close(mean.state.loss, whole.state.loss)
    close(mean.state.example_score, whole.state.example_score)
    assert float(mean.accuracy) == pytest.approx(float(whole.accuracy), abs=1e-6)
    for part in parts:
        assert part.state.option_sqnorm.shape == whole.state.option_sqnorm.shape
        taken = part.architectures.weights.argmax(-1).tolist()
        assert taken == [list(genotype) for genotype in GENOTYPES[:paths]]
    # Each alone is another estimate.
    kernels = [part.grads["hidden"]["kernel"] for part in parts]
    assert (
        min(np.abs(kernel - mean.grads["hidden"]["kernel"]).max() for kernel in kernels)
        > 1e-3
    )


def test_each_device_trains_its_own_on_its_own_examples(case):
    params, batch = case
    mesh = mesh_of(DEVICES)
    step = program(Paths(lead(DEVICES), spread=True), mesh)
    for shift, key in enumerate(keys_of_shifts()[:2]):
        found = step(*on_devices(case, mesh), key)
        for k, genotype in enumerate(GENOTYPES[:DEVICES]):
            device = (k + shift) % DEVICES
            own = np.asarray(label_loss(params, batch, genotype))
            want = own.reshape(DEVICES, -1)[device].mean()
            assert float(found.state.loss[k]) == pytest.approx(want, rel=1e-5)


def test_spread_on_one_device_is_nothing_else(case):
    mesh = mesh_of(1)
    key = jax.random.key(4)
    found, plain = (
        program(Paths(lead(3), spread=spread), mesh)(*on_devices(case, mesh), key)
        for spread in (True, False)
    )
    assert same(jax.device_get(found), jax.device_get(plain))


def test_uneven_shares_are_refused(case):
    mesh = mesh_of(DEVICES)
    with pytest.raises(UserError, match=r"3 architecture\(s\).*4 devices"):
        program(Paths(lead(3), spread=True), mesh)(
            *on_devices(case, mesh), jax.random.key(0)
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        Paths(Uniform(4), spread=True),
        Paths(Sandwich(3), students=AlphaDivergence(), spread=True),
    ],
)
def test_spread_inside_of_sub_supernets_side_by_side(strategy):
    found = []
    for supernets in (1, 2):
        mesh = MeshConfig(data=DEVICES, supernets=supernets)
        bench = Bench(tiny(strategy=strategy, mesh=mesh))
        state = bench.put(bench.step.init(np.repeat(bench.run.allowed, 2, axis=0)))
        for _ in range(2):
            state = bench.program(state, bench.data)
        found.append(jax.device_get(state["params"]))
    close(*found)


# ------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Paths(Uniform(2), students=KLDivergence()), "students.*Uniform"),
        (lambda: Paths(Fair(), regularize=1e-5), "regularize.*Fair"),
        (lambda: Paths(Ramp(Uniform()), students=KLDivergence()), "students.*Ramp"),
        (lambda: Paths(Sandwich(), label_weight=1.0), "label_weight"),
        (lambda: Paths(Sandwich(), regularize=-1.0), "regularize"),
        (lambda: Paths(reduction="median"), "reduction"),
    ],
)
def test_what_cannot_be_trained_is_refused(make, word):
    with pytest.raises(UserError, match=word):
        make()


def test_what_wraps_a_leading_sampler_leads():
    stages = (Stage("width", 0.5),)
    for sampler in (Progressive(Sandwich(), stages), Ramp(Sandwich())):
        Paths(sampler, CrossEntropy(), students=AlphaDivergence(), regularize=1e-5)
