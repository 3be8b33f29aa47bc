"""Alphas and weights in turn: each gradient against what defines it."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nas.errors import UserError
from nas.losses import CrossEntropy, Loss
from nas.relaxations import AlphaOptimizer, Dirichlet, GumbelSoftmax, Softmax
from nas.stages.search import derived
from nas.strategies import Alternating, Batch, Context
from nas.strategies.alternating import weightless
from nas.training.expected import expected_costs
from search_spaces import Architecture, Decision, SearchSpace
from supernets import Outputs
from tests.nas.training.parts import two_edges, two_layers

SPACE = SearchSpace("toy", (Decision("a", (0, 1, 2)), Decision("b", (0, 1))))
ALPHAS = np.array([[0.4, -0.3, 0.1], [-0.5, 0.2, 0.0]], np.float32)
RNG = np.random.default_rng(0)
MIX = RNG.normal(size=(4, 6)).astype(np.float32)
WEIGHTS = {"w": RNG.normal(size=4).astype(np.float32)}
COST = np.array([[1.0, 2, 4], [1, 3, 0]], np.float32)


@dataclasses.dataclass(frozen=True)
class Squares(Loss):
    """Half of the squared logits: with `forward`, a quadratic of the weights."""

    def __call__(self, outputs, labels):
        return 0.5 * jnp.square(outputs.logits).sum(-1)


def forward(params, arch, x, key=None):
    """Weights times what the architecture mixes, less what the examples want."""
    mixed = params["w"] * (MIX @ arch.weights.reshape(-1))
    return Outputs(mixed[None] - x, x, {})


def toy(**changes):
    """A context without any network."""
    order = np.where(SPACE.valid, np.arange(3)[None], -1).astype(np.int32)
    given = {"cost": lambda rows: {"macs": (rows * COST).sum()}} | changes
    return Context(SPACE, forward, None, order, **given)


def batches(seed=1):
    rng = np.random.default_rng(seed)

    def one():
        x = jnp.asarray(rng.normal(size=(5, 4)), jnp.float32)
        return Batch(x, jnp.zeros(5, jnp.int32), jnp.arange(5, dtype=jnp.int32))

    return {"weights": one(), "search": one()}


def state_of(strategy, alphas=ALPHAS):
    stacked = jnp.repeat(jnp.asarray(alphas)[None], strategy.num_preferences, axis=0)
    optimizer = strategy.alphas.build().init(stacked)
    return {"alphas": stacked, "optimizer": optimizer}


def slopes(strategy, context, given, params=WEIGHTS, alphas=ALPHAS):
    """`float64[P, D, O]`."""
    allowed = jnp.asarray(context.space.valid)

    @jax.jit  # at once, which takes less time than one operation after another
    def found(state, params):
        key = jax.random.key(0)
        return strategy.slopes(context, state, params, given, key, allowed)

    return np.asarray(found(state_of(strategy, alphas), params), np.float64)


# ------------------------------------------------------------------------ first order
def soft(alphas):
    """Softmax by NumPy, over what the toy's decisions have."""
    weights = np.where(SPACE.valid, np.exp(np.asarray(alphas, np.float64)), 0)
    return weights / weights.sum(1, keepdims=True)


def toy_loss(w, rows, x):
    mixed = np.asarray(w, np.float64) * (MIX @ rows.reshape(-1))
    return 0.5 * np.square(mixed - np.asarray(x)).sum(1).mean()


def differences(value, alphas, size=1e-5):
    found = np.zeros(alphas.shape)
    for place in np.argwhere(SPACE.valid):
        step = np.zeros(alphas.shape)
        step[tuple(place)] = size
        found[tuple(place)] = (value(alphas + step) - value(alphas - step)) / 2 / size
    return found


def test_first_order_slope_and_expected_cost_against_finite_differences():
    strategy = Alternating(
        loss=Squares(), costs=("macs",), directions=((1, 0), (0, 1), (3, 1)), paths=0
    )
    given = batches()
    most = 4 + 3

    def loss(alphas):
        return toy_loss(WEIGHTS["w"], soft(alphas), given["search"].x)

    def cost(alphas):
        return (soft(alphas) * COST).sum() / most

    start = ALPHAS.astype(np.float64)
    by_loss, by_cost = differences(loss, start), differences(cost, start)
    found = slopes(strategy, toy(), given)
    want = np.stack([by_loss, by_cost, 0.75 * by_loss + 0.25 * by_cost])
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-5)


def test_slope_on_a_network_against_finite_differences():
    net = two_layers()
    strategy, context = Alternating(), network_context()
    given, params = examples(), net.init(jax.random.key(0))
    rows = jnp.asarray(net.space.valid, jnp.float32) * 0.3
    found = slopes(strategy, context, given, params, np.asarray(rows))[0]

    @jax.jit
    def value(alphas):
        weights = Softmax().probabilities(alphas, jnp.asarray(net.space.valid))
        arch = Architecture.soft(net.space, weights)
        outputs = context.forward(params, arch, given["search"].x, None)
        return CrossEntropy()(outputs, given["search"].labels).mean()

    for d, o in np.argwhere(net.space.valid):
        up, down = (float(value(rows.at[d, o].add(e))) for e in (0.05, -0.05))
        assert found[d, o] == pytest.approx((up - down) / 0.1, abs=2e-4)
    assert np.abs(found).max() > 1e-3


def network_context(**changes):
    net = two_layers()

    def forward(params, arch, x, key):
        return net.apply(params, None, arch, x, train=True)

    cost = expected_costs(net)
    return Context(
        net.space, forward, net.activity, net.cost_order(), cost=cost, **changes
    )


def examples(num=16):
    rng = np.random.default_rng(5)
    shape = (num, *two_layers().input_shape)

    def one():
        x = jnp.asarray(rng.normal(size=shape), jnp.float32)
        labels = jnp.asarray(rng.integers(10, size=num), jnp.int32)
        return Batch(x, labels, jnp.arange(num, dtype=jnp.int32))

    return {"weights": one(), "search": one()}


def test_gdas_passes_the_chosen_options_gradient_alone():
    """One option is run; alphas move by its weight's slope times the soft row's."""
    net, gumbel = two_layers(), GumbelSoftmax()
    strategy, context = Alternating(gumbel), network_context(progress=0.5)
    given, params = examples(), net.init(jax.random.key(0))
    alphas = jnp.zeros(net.space.valid.shape, jnp.float32)
    allowed = jnp.asarray(net.space.valid)
    found = slopes(strategy, context, given, params, np.asarray(alphas))[0]
    # The keys that the strategy hands down to the draw of its only preference.
    key = jax.random.split(jax.random.fold_in(jax.random.key(0), 0))[0]
    draw = jax.random.split(key)[0]
    rows, pull = jax.vjp(lambda a: gumbel.sample(a, draw, 0.5, allowed), alphas)
    chosen = np.asarray(rows).argmax(-1)

    @jax.jit
    def value(rows):
        arch = Architecture.hard(net.space, chosen, rows)
        outputs = context.forward(params, arch, given["search"].x, None)
        return CrossEntropy()(outputs, given["search"].labels).mean()

    slope = np.zeros(rows.shape, np.float32)
    for d, o in enumerate(chosen):
        up, down = (float(value(rows.at[d, o].add(e))) for e in (0.02, -0.02))
        slope[d, o] = (up - down) / 0.04
    want = np.asarray(pull(jnp.asarray(slope))[0])
    np.testing.assert_allclose(found, want, atol=2e-5)
    assert np.abs(want).max() > 1e-3


# ----------------------------------------------------------------------- second order
def momentum(grads, architectures, rate=0.3):
    """The published step: momentum and decay are part of it."""
    del architectures
    buffer, w = jnp.asarray([0.3, -0.2, 0.1, 0.4]), WEIGHTS["w"]
    return {"w": w - rate * (0.9 * buffer + grads["w"] + 3e-2 * w)}


def adam(grads, architectures):
    """A step that is no linear function of the gradient."""
    del architectures
    tx = optax.adam(0.2)
    _, state = tx.update({"w": jnp.asarray([0.5, -1, 2, 0.1])}, tx.init(WEIGHTS))
    updates, _ = tx.update(grads, state)
    return optax.apply_updates(jax.tree.map(jnp.asarray, WEIGHTS), updates)


@pytest.mark.parametrize("ahead", [momentum, adam])
@pytest.mark.parametrize("hessian", ["differences", "exact"])
def test_second_order_is_the_gradient_through_the_unrolled_step(hessian, ahead):
    strategy = Alternating(loss=Squares(), order=2, hessian=hessian)
    given, allowed = batches(), jnp.asarray(SPACE.valid)

    def loss(params, alphas, batch):
        rows = Softmax().probabilities(alphas, allowed)
        arch = Architecture.soft(SPACE, rows)
        return Squares()(forward(params, arch, batch.x), None).mean()

    def unrolled(alphas):
        grads = jax.grad(loss)(WEIGHTS, alphas, given["weights"])
        return loss(ahead(grads, None), alphas, given["search"])

    want = np.asarray(jax.jit(jax.grad(unrolled))(jnp.asarray(ALPHAS)))
    found = slopes(strategy, toy(ahead=ahead), given)[0]
    # On a quadratic, differences on both sides are exact but for rounding.
    tolerance = 1e-5 if hessian == "exact" else 2e-3
    scale = np.abs(want).max()
    np.testing.assert_allclose(found, want, atol=tolerance * scale)
    first = slopes(Alternating(loss=Squares()), toy(), given)[0]
    assert np.abs(first - want).max() > 0.2 * scale


def test_second_order_survives_weights_without_gradient():
    """Adam's square root has no slope where a gradient is zero."""

    def ahead(grads, architectures):
        tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.1))
        updates, _ = tx.update(grads, tx.init(grads))
        return optax.apply_updates(jax.tree.map(jnp.asarray, params), updates)

    params = WEIGHTS | {"unused": np.ones(3, np.float32)}
    strategy = Alternating(loss=Squares(), order=2)
    found = slopes(strategy, toy(ahead=ahead), batches(), params)
    assert np.isfinite(found).all()


@pytest.mark.slow
@pytest.mark.parametrize("hessian", ["differences", "exact"])
@pytest.mark.parametrize("relaxation", [Softmax(), Dirichlet(), GumbelSoftmax()])
def test_second_order_on_a_network(hessian, relaxation):
    net, given = two_layers(), examples()
    params = net.init(jax.random.key(0))

    def ahead(grads, architectures):
        return jax.tree.map(lambda w, g: w - 0.5 * g, params, grads)

    strategy = Alternating(relaxation, order=2, hessian=hessian)
    context = network_context(ahead=ahead, progress=0.5)
    alphas = np.zeros(net.space.valid.shape, np.float32)
    found = slopes(strategy, context, given, params, alphas)[0]
    key = jax.random.fold_in(jax.random.key(0), 0)
    allowed = jnp.asarray(net.space.valid)

    def loss(params, alphas, batch, key):
        rows = relaxation.sample(alphas, jax.random.split(key)[0], 0.5, allowed)
        arch = relaxation.architecture(net.space, rows)
        outputs = context.forward(params, arch, batch.x, None)
        return CrossEntropy()(outputs, batch.labels).mean()

    def unrolled(alphas):
        k_search, k_train = jax.random.split(key)
        grads = jax.grad(loss)(params, alphas, given["weights"], k_train)
        return loss(ahead(grads, None), alphas, given["search"], k_search)

    want = np.asarray(jax.jit(jax.grad(unrolled))(jnp.asarray(alphas)))
    tolerance = 1e-4 if hessian == "exact" else 0.05
    np.testing.assert_allclose(found, want, atol=tolerance * np.abs(want).max())


# --------------------------------------------------------------------------- one step
def one_step(strategy, context=None, state=None, key=7):
    allowed = jnp.asarray(SPACE.valid)

    @jax.jit
    def step(state, key):
        given = context or toy()
        return strategy.gradients(given, state, WEIGHTS, batches(), key, allowed)

    return step(state or state_of(strategy), jax.random.key(key))


@pytest.mark.slow
def test_preferences_in_one_program_are_those_apart():
    fast = AlphaOptimizer(learning_rate=0.1)
    together = Alternating(
        loss=Squares(), alphas=fast, costs=("macs",), preferences=3, paths=0
    )
    state, alone = state_of(together), []
    for _ in range(2):
        result = one_step(together, state=state)
        state = result.state
    for row in together.table:
        apart = dataclasses.replace(together, directions=(tuple(row.tolist()),))
        own = state_of(apart)
        for _ in range(2):
            own = one_step(apart, state=own).state
        alone.append(own["alphas"][0])
    np.testing.assert_allclose(state["alphas"], jnp.stack(alone), atol=1e-6)
    assert np.abs(np.asarray(state["alphas"][0] - state["alphas"][2])).max() > 0.1


def test_the_weights_follow_the_mean_over_the_preferences_that_train_them():
    strategy = Alternating(loss=Squares(), costs=("macs",), preferences=4, paths=0)
    result = one_step(strategy)
    x, want = batches()["weights"].x, np.zeros(4)
    for alphas in np.asarray(result.state["alphas"], np.float64):
        mixed = MIX @ soft(alphas).reshape(-1)
        residual = (WEIGHTS["w"] * mixed)[None] - np.asarray(x)
        want += (residual * mixed).mean(0) / 4
    np.testing.assert_allclose(result.grads["w"], want, rtol=1e-4)
    assert result.architectures.weights.shape == (4, 2, 3)
    one = one_step(dataclasses.replace(strategy, paths=1))
    assert one.architectures.weights.shape == (1, 2, 3)
    np.testing.assert_allclose(one.state["alphas"], result.state["alphas"], atol=1e-6)


def test_alphas_stay_during_the_warm_up():
    strategy = Alternating(loss=Squares(), warmup=0.5)
    start = state_of(strategy)
    for progress, moves in ((0.49, False), (0.5, True)):
        state = one_step(strategy, toy(progress=jnp.float32(progress))).state
        assert (np.asarray(state["alphas"] != start["alphas"])).any() == moves
        steps = [leaf for leaf in jax.tree.leaves(state) if leaf.dtype == jnp.int32]
        assert [int(step) for step in steps] == [int(moves)]


def test_alphas_that_are_no_numbers_stop_the_run():
    broken = toy(cost=lambda rows: {"macs": jnp.log(-rows.sum())})
    strategy = Alternating(loss=Squares(), costs=("macs",), directions=((1, 1),))
    assert np.isnan(one_step(strategy, broken).loss)


def test_a_fixed_option_stays_fixed():
    strategy = Alternating(GumbelSoftmax(), loss=Squares())
    allowed = jnp.asarray([[False, True, False], [True, True, False]])

    @jax.jit
    def step(key):
        return strategy.gradients(
            toy(), state_of(strategy), WEIGHTS, batches(), key, allowed
        )

    for key in range(3):
        result = step(jax.random.key(key))
        rows = np.asarray(result.architectures.weights[0])
        assert rows[0].tolist() == [0, 1, 0] and set(rows[1]) == {0, 1}
        moved = np.asarray(result.state["alphas"][0] - ALPHAS)
        # Adam's decay alone moves what has no gradient, toward zero.
        assert (np.sign(moved[0]) == -np.sign(ALPHAS[0])).all()


# ----------------------------------------------------------------------- what came out
@pytest.mark.slow
def test_collapse_to_options_without_weights_is_a_health_figure():
    net = two_edges()
    space = net.space
    context = Context(
        space, None, net.activity, net.cost_order(), cost=expected_costs(net)
    )
    allowed = jnp.asarray(space.valid)
    free, choice = jax.jit(lambda t: weightless(context, t))(allowed)
    varying = [d for d, n in enumerate(space.num_options) if n > 1]
    names = np.asarray(space.decisions[varying[0]].options)
    assert np.flatnonzero(np.asarray(choice)).tolist() == varying
    for d in varying:
        assert set(names[np.asarray(free[d])]) == {
            "none",
            "skip_connect",
            "avg_pool_3x3",
        }
    strategy = Alternating(preferences=2)
    alphas = np.zeros((2, *space.valid.shape), np.float32)
    alphas[0, :, list(names).index("nor_conv_1x1")] = 1
    alphas[1, :, list(names).index("skip_connect")] = 1
    health = strategy.health({"alphas": jnp.asarray(alphas)}, context, allowed)
    assert float(health["parameterless"]) == pytest.approx(0.5)
    assert 0 < float(health["alpha_entropy"]) < 1


def test_what_is_derived_lies_in_its_sub_supernet_and_is_told():
    strategy = Alternating(preferences=2)
    halves = np.stack([SPACE.valid] * 2)
    halves[0, 0, 0] = halves[1, 0, 1:] = False
    state = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state_of(strategy))
    experiment = types.SimpleNamespace(strategy=strategy)
    run = types.SimpleNamespace(
        experiment=experiment, supernet=types.SimpleNamespace(space=SPACE)
    )
    rows = derived(run, {"strategy": state, "allowed": jnp.asarray(halves)})
    assert rows.tolist() == [[2, 1], [2, 1], [0, 1], [0, 1]]
    told = strategy.scalars(state_of(strategy), toy(), jnp.asarray(SPACE.valid))
    assert told["alphas/1/a/derived"] == 0 and told["alphas/0/b/derived"] == 1
    assert told["alphas/0/a/2"] == pytest.approx(soft(ALPHAS)[0, 2], rel=1e-5)
    assert 0 < told["alphas/0/entropy"] < 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order": 3}, "order"),
        ({"hessian": "none"}, "hessian"),
        ({"warmup": 1.0}, "warmup"),
        ({"preferences": 0}, "preferences"),
        ({"paths": 2}, "paths"),
        ({"costs": ("macs",), "directions": ((1.0,),)}, "directions"),
        ({"costs": ("macs",), "directions": ((0.0, 0.0),)}, "directions"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        Alternating(**changes)


def test_costs_that_nothing_counts_are_refused():
    with pytest.raises(UserError, match=r"costs has 'latency_ms'.*macs"):
        Alternating(costs=("latency_ms",)).check(toy(), None)
