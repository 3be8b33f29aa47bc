"""What every supernet promises, as checks that raise AssertionError.

They take a supernet, so they run over whatever is discovered, over wrappers of it, and
over supernets that were broken on purpose. The error of an array is its largest
difference over its largest entry; an array of a tree is held to at least a hundredth
of the tree's largest entry, since some gradients are zero by an identity.
"""

import collections
import copy
import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from search_spaces import Architecture
from supernets import load_weights
from supernets.counting import count_macs
from supernets.paths import flatten

FLOAT64, FLOAT32 = 1e-9, 1e-5
# In float32 a norm over nearly equal values multiplies their rounding, as much as by
# 1 / sqrt(epsilon); statistics of the batch and gradients pass through such norms.
FLOAT32_THROUGH_NORMS = 1e-4
BATCH = 8
GRADIENTS = ("dparams", "dx")


def assert_close(found, expected, tolerance, what="value"):
    found, expected = (
        {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}
        for leaves in map(jax.tree_util.tree_leaves_with_path, (found, expected))
    )
    assert found.keys() == expected.keys(), f"{what}: {found.keys() ^ expected.keys()}"
    largest = max((np.abs(leaf).max() for leaf in expected.values()), default=0)
    for path, leaf in expected.items():
        scale = max(np.abs(leaf).max(), 0.01 * largest)
        error = np.abs(found[path] - leaf).max()
        assert np.isfinite(found[path]).all(), f"{what}{path} is not finite"
        assert error <= tolerance * scale, f"{what}{path}: {error} of {scale}"


class Case:
    """One supernet with randomised weights and data, and its programs, compiled once.

    Scales and biases are moved away from one and zero, where they hide decisions.
    Weights and data are numbers of float32 in either type, so that one computes what
    the other does.

    Attributes:
      traces: how often each of its programs was traced, by name.
    """

    def __init__(self, supernet, dtype="float64"):
        self.supernet = supernet.with_precision(dtype)
        self.space = supernet.space
        self.tolerance = FLOAT64 if dtype == "float64" else FLOAT32
        self.loose = FLOAT64 if dtype == "float64" else FLOAT32_THROUGH_NORMS
        self.traces = collections.Counter()
        rng = np.random.default_rng(0)

        def noise(shape, scale=1.0):
            drawn = np.float32(scale * rng.standard_normal(shape))
            return jnp.asarray(drawn, dtype)

        self.params = jax.tree.map(
            lambda leaf: leaf.astype(dtype) + noise(leaf.shape, 0.3),
            _drawn(supernet.with_precision("float32")),
        )
        shape, num = supernet.input_shape, supernet.num_classes
        # Tokens are predicted at each place, and have no gradient.
        tokens = np.issubdtype(supernet.input_dtype, np.integer)
        self.batches = (
            jnp.asarray(rng.integers(num, size=(2, BATCH, *shape)), "int32")
            if tokens
            else noise((2, BATCH, *shape))
        )
        self.x = self.batches[0]
        self.cotangent = noise((BATCH, *(shape if tokens else ()), num))
        self.differentiated = 1 if tokens else 2

    def hard(self, genotype):
        return self._hard(np.asarray(genotype, np.int32))

    @functools.cached_property
    def _hard(self):
        return jax.jit(functools.partial(Architecture.hard, self.space))

    def one_hot(self, genotype):
        width = self.space.max_options
        rows = jax.nn.one_hot(genotype, width, dtype=jnp.float32)
        return Architecture.soft(self.space, rows)

    def random_rows(self, seed):
        rows = np.random.default_rng(seed).exponential(size=self.space.valid.shape)
        rows = rows * self.space.valid
        return (rows / rows.sum(1, keepdims=True)).astype(np.float32)

    def random_soft(self, seed):
        return Architecture.soft(self.space, jnp.asarray(self.random_rows(seed)))

    def loss(self, params, stats, arch, x):
        logits = self.supernet.apply(params, stats, arch, x, train=False).logits
        return jnp.sum(self.cotangent * logits), logits

    def run(self, arch):
        """Give logits, and the gradients of parameters and of images.

        Norms use the statistics of the batch.
        """
        return self.run_weights(arch)[:-1]

    def run_weights(self, arch):
        """Give what `run` gives, and the gradient of the architecture's weights."""
        return self._run(self.params, self.x, arch.weights, arch.indices)

    @functools.cached_property
    def _run(self):
        def loss(params, x, weights, indices):
            self.traces["run"] += 1
            return self.loss(
                params, None, Architecture(weights, indices, self.space), x
            )

        argnums = (*range(self.differentiated), 2)
        grad = jax.value_and_grad(loss, argnums, has_aux=True)
        return jax.jit(lambda *args: _reorder(grad(*args)))

    @functools.cached_property
    def infer(self):
        """Map parameters, statistics, an architecture and inputs to logits."""

        def infer(*args):
            self.traces["infer"] += 1
            return self.loss(*args)[1]

        return jax.jit(infer)

    @functools.cached_property
    def calibrate(self):
        def calibrate(*args):
            self.traces["calibrate"] += 1
            return self.supernet.calibrate(*args)

        return jax.jit(calibrate)

    @functools.cached_property
    def activity(self):
        return jax.jit(self.supernet.activity)

    @functools.cached_property
    def random_stats(self):
        """Statistics that differ everywhere, in float32's numbers."""
        shapes = jax.eval_shape(
            self.supernet.calibrate, self.params, self.random_soft(0), self.batches
        )
        rng = np.random.default_rng(4)

        def positive(leaf):
            return jnp.asarray(
                np.float32(rng.uniform(0.5, 1.5, leaf.shape)), leaf.dtype
            )

        return jax.tree.map(positive, shapes)

    def run_subnet(self, genotype):
        """Give what `run` gives, by the extracted network."""
        logits = self._subnet(genotype, None)

        def loss(params, x):
            found = logits(params, x)
            return jnp.sum(self.cotangent * found), found

        argnums = (0, 1)[: self.differentiated]
        # Compiled whole: a program can be kept, hundreds of small ones are not.
        grad = jax.jit(jax.value_and_grad(loss, argnums, has_aux=True))
        # Flax's own norms raise float64 by float32, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            return _reorder(grad(self.params, self.x))

    def infer_subnet(self, genotype, stats):
        """Give the logits of the extracted network in inference."""
        with jax.numpy_dtype_promotion("standard"):
            return jax.jit(self._subnet(genotype, stats))(self.params, self.x)

    def _subnet(self, genotype, stats):
        abstract = nnx.eval_shape(lambda: self.supernet.subnet(genotype))
        abstract.eval() if stats else abstract.train()
        graphdef, state = nnx.split(abstract)
        # The batch's own statistics replace those that are not given.
        dtype = self.cotangent.dtype
        state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, dtype), state)

        def logits(params, x):
            # Flax lets a variable be written only in the trace that made it.
            module = nnx.merge(graphdef, jax.tree.map(jnp.asarray, state))
            load_weights(module, self.supernet.extract(params, stats, genotype))
            return module(x)

        return logits


class CompiledCase(Case):
    """A case whose extracted networks are compiled, which is quicker for a few."""

    def run_subnet(self, genotype):
        def run(params, x):
            other = copy.copy(self)
            other.params, other.x = params, x
            return Case.run_subnet(other, genotype)

        return jax.jit(run)(self.params, self.x)


@functools.cache
def _drawn(supernet):
    return jax.tree.map(np.asarray, supernet.init(jax.random.key(0)))


def _reorder(result):
    (_, logits), gradients = result
    return logits, *gradients


def every_option(space):
    """A few genotypes in which every option of every decision is live and taken."""
    sampled = np.asarray(space.sample(jax.random.key(1), 512))
    takes = np.asarray(space.one_hot(sampled), bool)
    takes &= np.repeat(space.alive(sampled), space.num_options, axis=1)
    rows, missing = [], np.ones(takes.shape[1], bool)
    while missing.any():
        gains = (takes & missing).sum(1)
        best = gains.argmax()
        assert gains[best], f"no sample takes options {np.flatnonzero(missing)}"
        rows.append(sampled[best])
        missing &= ~takes[best]
    return np.asarray(rows)


def random_genotypes(space, num, seed=2):
    return np.asarray(space.sample(jax.random.key(seed), num))


# ------------------------------------------------------------------------ invariants
def check_equals_subnet(case, genotype):
    """Values and gradients of the supernet are those of the extracted network.

    Norms use the statistics of the batch.
    """
    arch = case.hard(genotype)
    found, expected = case.run(arch), case.run_subnet(genotype)
    assert_close(found[0], expected[0], case.loose, f"{genotype} logits")
    for name, a, b in zip(GRADIENTS, found[1:], expected[1:], strict=False):
        assert_close(a, b, case.loose, f"{genotype} {name}")
    check_inactive_gradient_is_zero(case, arch, found[1])


def check_inference_equals_subnet(case, genotype, stats):
    """In inference, by given statistics, the logits are the extracted network's."""
    found = case.infer(case.params, stats, case.hard(genotype), case.x)
    expected = case.infer_subnet(genotype, stats)
    assert_close(found, expected, case.tolerance, f"{genotype} logits")


def check_calibration(case, genotype):
    """Statistics are the mean of the batches', and one batch's own change nothing."""
    arch = case.hard(genotype)
    each = [case.calibrate(case.params, arch, jnp.stack([x, x])) for x in case.batches]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *each)
    both = case.calibrate(case.params, arch, case.batches)
    assert_close(both, mean, case.loose, f"{genotype} statistics")
    given = case.infer(case.params, each[0], arch, case.x)
    assert_close(given, case.run(arch)[0], case.loose, f"{genotype} logits")


def check_float32(case, exact, genotype):
    """What float32 computes is what float64 does, to what norms leave of it."""
    expected = exact.run(exact.hard(genotype))
    with jax.enable_x64(False):
        found = case.run(case.hard(genotype))
    for what, a, b in zip(("logits", *GRADIENTS), found, expected, strict=False):
        assert_close(a, b, FLOAT32_THROUGH_NORMS, f"{genotype} {what}")


def check_traces_once(case, genotypes):
    """Training, inference and calibration are one program each, whatever is run."""
    stats = case.random_stats or None
    for genotype in genotypes:
        arch = case.hard(genotype)
        case.run(arch)
        case.infer(case.params, stats, arch, case.x)
        case.calibrate(case.params, arch, case.batches)
    assert set(case.traces.values()) == {1}, case.traces


def check_inactive_gradient_is_zero(case, arch, gradients):
    activity = flatten(case.activity(arch))
    for path, gradient in flatten(gradients).items():
        inactive = np.broadcast_to(np.asarray(activity[path]) == 0, gradient.shape)
        assert not np.asarray(gradient)[inactive].any(), f"{path} moves, inactive"


def check_hard_is_one_hot_soft(case, genotype):
    hard, soft = case.run(case.hard(genotype)), case.run(case.one_hot(genotype))
    for what, a, b in zip(("logits", *GRADIENTS), hard, soft, strict=False):
        assert_close(a, b, case.loose, f"{genotype} {what}")


def check_gradients_of_weights(case, genotypes, inert=()):
    """Hard differentiates the chosen entries only, and as soft does; soft gives all.

    Args:
      case: the case.
      genotypes: in which, together, every option is live.
      inert: options that give zero whatever the input, so that weights do not matter.
    """
    reached = np.zeros(case.space.valid.shape, bool)
    for genotype in genotypes:
        arch = case.hard(genotype)
        chosen = np.asarray(arch.weights, bool)
        hard = np.asarray(case.run_weights(arch)[-1])
        soft = np.asarray(case.run_weights(case.one_hot(genotype))[-1])
        assert not hard[~chosen].any(), f"{genotype}: a weight not chosen has gradient"
        # The weights, and so their gradients, are float32.
        assert_close(hard[chosen], soft[chosen], 1e-4, f"{genotype} d/dweights")
        reached |= soft != 0
    for d, decision in enumerate(case.space.decisions):
        for option, value in enumerate(decision.options):
            reached[d, option] |= value in inert
    unreached = case.space.valid & ~reached
    assert not unreached.any(), f"no gradient reaches {np.argwhere(unreached)}"


def check_every_decision_matters(case, genotypes, signature=tuple):
    """Outputs differ exactly where signatures do.

    Args:
      case: the case.
      genotypes: to compare all pairs of; canonical.
      signature: from a genotype to what it computes, where the space holds genotypes
        that compute the same with the same weights.
    """
    outputs = {}
    for genotype in np.unique(genotypes, axis=0):
        key = signature(tuple(int(i) for i in genotype))
        logits = np.asarray(case.run(case.hard(genotype))[0]).ravel()
        if key in outputs:
            assert_close(logits, outputs[key], case.loose, f"{genotype} again ")
        outputs[key] = logits
    rows = np.stack(list(outputs.values()))
    gaps = np.abs(rows[:, None] - rows[None]).max(-1) + np.eye(len(rows))
    a, b = np.unravel_index(gaps.argmin(), gaps.shape)
    keys = list(outputs)
    assert gaps[a, b] > 1e-8 * np.abs(rows).max(), f"{keys[a]} and {keys[b]} are alike"


# -------------------------------------------------------------------- cost, activity
def check_counts(case, genotype):
    """Activity, declared cost, extracted network and its program agree exactly."""
    supernet = case.supernet
    costs = {name: int(v[0]) for name, v in supernet.costs(genotype[None]).items()}
    arch = case.hard(genotype)
    extracted = supernet.extract(case.params, None, genotype)["params"]
    entries = sum(leaf.size for leaf in jax.tree.leaves(extracted))
    assert costs["params"] == entries
    assert costs["bytes"] == 4 * entries
    assert active_entries(case, arch) == entries
    for name, value in supernet.cost(arch).items():
        assert float(value) == np.float32(costs[name]), name
    assert costs["macs"] == program_macs(supernet, genotype)


def program_macs(supernet, genotype):
    with jax.enable_x64(False):
        abstract = nnx.eval_shape(lambda: supernet.subnet(genotype))
        graphdef, state = nnx.split(abstract)
        one = jax.ShapeDtypeStruct((1, *supernet.input_shape), supernet.input_dtype)
        return count_macs(lambda s, x: nnx.merge(graphdef, s)(x), state, one)


def active_entries(case, arch):
    activity = flatten(case.activity(arch))
    params = flatten(case.params)
    assert activity.keys() == params.keys()
    total = 0.0
    for path, leaf in params.items():
        active = np.asarray(activity[path], np.float64)
        assert active.min() >= -1e-6 and active.max() <= 1 + 1e-6
        total += np.broadcast_to(active, leaf.shape).sum()
    return total


def check_soft_cost_is_the_expectation(case, seed, num=200_000):
    """Live decisions are independent distributions over options."""
    arch = case.random_soft(seed)
    found = case.supernet.cost(arch)
    # An entry's activity is the probability that it is used.
    np.testing.assert_allclose(active_entries(case, arch), found["params"], rtol=1e-4)
    rng = np.random.default_rng(seed)
    rows = case.space.live_weights(arch.weights)
    ends = np.cumsum(np.asarray(rows, np.float64), 1)
    ends /= ends[:, -1:]
    drawn = rng.random((num, case.space.num_decisions, 1)) > ends[None]
    costs = case.supernet.costs(drawn.sum(-1).astype(np.int32))
    for name, samples in costs.items():
        margin = 5 * samples.std() / np.sqrt(num)
        assert (
            abs(float(found[name]) - samples.mean()) <= margin + 1e-4 * samples.mean()
        )


def check_extremes(case, genotypes):
    costs = case.supernet.costs(genotypes)
    for genotype, sign in (
        (case.supernet.largest(), 1),
        (case.supernet.smallest(), -1),
    ):
        own = case.supernet.costs(genotype[None])
        assert (sign * costs["macs"] <= sign * own["macs"]).all()
        np.testing.assert_array_equal(case.space.canonical(genotype), genotype)


# --------------------------------------------------------------------------- programs
def check_second_derivative(case, arch):
    """Reverse over reverse is finite and is the slope of the gradient."""

    def loss(params):
        # A squared loss, since some logits are nearly linear in the weights.
        return jnp.square(case.loss(params, None, arch, case.x)[1]).mean()

    rng = np.random.default_rng(3)
    direction = jax.tree.map(
        lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape), leaf.dtype),
        case.params,
    )
    gradient = jax.jit(jax.grad(loss))

    def along(params):
        products = jax.tree.map(jnp.vdot, jax.grad(loss)(params), direction)
        return sum(jax.tree.leaves(products))

    found = jax.jit(jax.grad(along))(case.params)
    step = 1e-6
    ahead, behind = (
        gradient(
            jax.tree.map(lambda p, v, s=s: p + s * step * v, case.params, direction)
        )
        for s in (1, -1)
    )
    slope = jax.tree.map(lambda a, b: (a - b) / (2 * step), ahead, behind)
    assert_close(found, slope, 1e-4, "second derivative")
