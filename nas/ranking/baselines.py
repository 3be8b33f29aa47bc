"""Estimates that train nothing: what a supernet's ranking must beat.

A rank correlation alone says little: on NAS-Bench-201 counting parameters orders cells
better than most supernets do. So every ranking is shown next to these. Each gives
numbers like errors, smaller for architectures that it holds for better.

All of an architecture's scores come from the supernet's own program with the
architecture as data, so that a population compiles once.

Letters in shapes: P population, D decisions, F features, B batch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from predictors.zero_cost import Proxy
from search_spaces import Architecture, SearchSpace
from supernets import Supernet

NOISE_BATCH = 16
LIVE_BATCH = 4


def cost_baselines(supernet: Supernet, genotypes: np.ndarray) -> dict[str, np.ndarray]:
    """Hold larger architectures for better.

    Args:
      supernet: whose costs.
      genotypes: `int32[P, D]`.

    Returns:
      `float64[P]` for each of `macs` and `params`: the negative cost, as counted for
      the standalone network, operations without effect included.
    """
    costs = supernet.costs(genotypes)
    return {name: -costs[name].astype(np.float64) for name in ("macs", "params")}


def live_baseline(supernet: Supernet, genotypes: np.ndarray) -> np.ndarray:
    """Hold architectures with more weights that have an effect for better.

    Args:
      supernet: whose architectures.
      genotypes: `int32[P, D]`.

    Returns:
      `float64[P]`, the negative count: of the network in which every decision without
      effect takes its cheapest option.
    """
    cheapest = np.argmin(
        np.where(supernet.space.valid, supernet.cost_order(), np.iinfo(np.int32).max),
        axis=1,
    )
    live = np.where(supernet.effective(genotypes), genotypes, cheapest)
    counts = supernet.costs(supernet.space.canonical(live.astype(np.int32)))["params"]
    return -counts.astype(np.float64)


def proxy_baseline(
    supernet: Supernet,
    proxy: Proxy,
    genotypes: np.ndarray,
    inputs: jax.Array | None = None,
    labels: jax.Array | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Hold architectures with a higher zero-cost score for better.

    Args:
      supernet: whose architectures, at weights that were never trained.
      proxy: the score.
      genotypes: `int32[P, D]`.
      inputs: `[B, *input_shape]`, as the network sees them; None is gaussian noise, or
        tokens drawn uniformly.
      labels: `int[B]` of the inputs, of tokens `[B, T]`; None where there are none.
      seed: of the weights and the noise.

    Returns:
      `float64[P]`, the negative score.

    Raises:
      UserError: a score is not a number, as when a product over layers overflows; or
        the proxy cannot score this supernet, or not without labels.
    """
    scores = proxy_scores(supernet, proxy, genotypes, inputs, labels, seed)
    macs = supernet.costs(np.asarray(genotypes))["macs"]
    return -_finite(proxy.assemble(scores, macs))


def proxy_scores(
    supernet: Supernet,
    proxy: Proxy,
    genotypes: np.ndarray,
    inputs: jax.Array | None = None,
    labels: jax.Array | None = None,
    seed: int = 0,
    seen: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Score architectures one by one, each for itself; see `proxy_baseline`.

    Args:
      supernet: as there, and so are the following.
      proxy: the score.
      genotypes: `int32[P, D]`.
      inputs: `[B, *input_shape]`, or None.
      labels: `int[B]`, `int[B, T]` or None.
      seed: of the weights and the noise.
      seen: called after each architecture.

    Returns:
      `float64[P]` or `float64[P, Q]`, what the proxy gave, larger is better.

    Raises:
      UserError: as there.
    """
    key = jax.random.key(seed)
    params = supernet.init(jax.random.fold_in(key, 0))
    if inputs is None:
        inputs = noise_inputs(supernet, jax.random.fold_in(key, 1), NOISE_BATCH)
    with jax.enable_x64(proxy.double):
        if proxy.double:
            supernet = supernet.with_precision("float64")
            params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
            if jnp.issubdtype(inputs.dtype, jnp.floating):
                inputs = inputs.astype(jnp.float64)
        program = _score_program(supernet, proxy, params, inputs, labels)
        try:
            scores = _each(program, genotypes, seen)
        except ValueError as error:
            raise UserError(f"ranking: {error}") from error
    if np.isnan(scores).any():
        first = int(np.argwhere(np.isnan(scores))[0][0])
        raise UserError(
            f"ranking: {type(proxy).__name__} of genotype {first}, "
            f"{np.asarray(genotypes)[first].tolist()}, is no number; leave this proxy "
            "out for this supernet."
        )
    return scores


def _score_program(
    supernet: Supernet,
    proxy: Proxy,
    params: Any,
    inputs: jax.Array,
    labels: jax.Array | None,
) -> Callable[[jax.Array], jax.Array]:
    space = supernet.space

    @jax.jit
    def score(genotype: jax.Array) -> jax.Array:
        arch = Architecture.hard(space, genotype)
        layers, join = _by_layer(supernet, params)
        given = None
        if not proxy.normalises:
            given = identity_statistics(supernet, params, arch, inputs)
        return proxy.score(
            lambda p, x: supernet.apply(join(p), given, arch, x).logits,
            layers,
            inputs,
            labels,
        )

    return score


def _by_layer(
    supernet: Supernet, params: Any
) -> tuple[list[list[jax.Array]], Callable[[list[list[jax.Array]]], Any]]:
    """Take stacked tensors apart, and give the function that puts them together."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    paths = [tuple(str(key.key) for key in path) for path, _ in leaves]
    stacked = [supernet.layers(path) is not None for path in paths]

    def join(parts: list[list[jax.Array]]) -> Any:
        whole = [
            jnp.stack(part) if several else part[0]
            for part, several in zip(parts, stacked, strict=True)
        ]
        return jax.tree.unflatten(structure, whole)

    parts = [
        list(leaf) if several else [leaf]
        for (_, leaf), several in zip(leaves, stacked, strict=True)
    ]
    return parts, join


def identity_statistics(
    supernet: Supernet, params: Any, arch: Architecture, inputs: jax.Array
) -> Any:
    """Give statistics under which batch normalisation changes nothing but by epsilon.

    Args:
      supernet: whose statistics.
      params: its weights, for shapes alone.
      arch: any architecture, for shapes alone.
      inputs: `[B, *input_shape]`, for shapes alone.

    Returns:
      A tree like that of `calibrate`: every mean 0, every variance 1; None if nothing
      normalises over the batch.
    """
    shapes = jax.eval_shape(lambda: supernet.calibrate(params, arch, inputs[None]))
    if not jax.tree.leaves(shapes):
        return None

    def fill(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        variance = jax.tree_util.keystr(path[-1:], simple=True).startswith("var")
        return jnp.full(leaf.shape, 1 if variance else 0, leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)


def noise_inputs(supernet: Supernet, key: jax.Array, batch: int) -> jax.Array:
    """Draw inputs that hold nothing.

    Args:
      supernet: for the shape and type of its inputs.
      key: of the draw.
      batch: B.

    Returns:
      `[B, *input_shape]`: standard gaussian values, or uniform tokens.
    """
    shape = (batch, *supernet.input_shape)
    if np.issubdtype(supernet.input_dtype, np.integer):
        return jax.random.randint(key, shape, 0, supernet.num_classes, jnp.int32)
    return jax.random.normal(key, shape, jnp.float32)


# ------------------------------------------------------------------------ features
def option_counts(
    space: SearchSpace, genotypes: np.ndarray, live: np.ndarray | None = None
) -> tuple[tuple[str, ...], np.ndarray]:
    """Describe architectures by what is in effect in them.

    Args:
      space: whose genotypes.
      genotypes: `int32[P, D]`.
      live: `bool[P, D]`, decisions that have an effect beyond what the space's
        conditions say, such as edges on a path through a cell; None is no more.

    Returns:
      Names of the features, and `float64[P, F]`. An option that is a text is counted
      over the decisions in effect that take it; a decision among numbers gives its
      value under its own name, 0 where it has no effect.
    """
    genotypes = space.validate(genotypes)
    effect = np.asarray(space.alive(genotypes))
    if live is not None:
        effect = effect & np.asarray(live, bool)
    columns: dict[str, np.ndarray] = {}
    for d, decision in enumerate(space.decisions):
        for o, option in enumerate(decision.options):
            taken = (effect[:, d] & (genotypes[:, d] == o)).astype(np.float64)
            text = isinstance(option, str)
            name = option if text else decision.name
            value = taken if text else taken * float(option)
            columns[name] = columns.get(name, 0.0) + value
    return tuple(columns), np.stack(list(columns.values()), axis=1)


def baselines(
    supernet: Supernet,
    genotypes: np.ndarray,
    *,
    proxies: Mapping[str, Proxy] | None = None,
    inputs: jax.Array | None = None,
    labels: jax.Array | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Score a population by everything that trains nothing.

    Args:
      supernet: whose architectures.
      genotypes: `int32[P, D]`.
      proxies: zero-cost proxies by name.
      inputs: `[B, *input_shape]` for the proxies, as the network sees them.
      labels: `int[B]` of the inputs, of tokens `[B, T]`, for those that need them.
      seed: of random weights.

    Returns:
      `float64[P]` by name, smaller is better: `macs`, `params`, `live_parameters`, and
      each proxy under its name.
    """
    genotypes = supernet.space.validate(genotypes)
    scores = cost_baselines(supernet, genotypes)
    scores["live_parameters"] = live_baseline(supernet, genotypes)
    for name, proxy in (proxies or {}).items():
        scores[name] = proxy_baseline(supernet, proxy, genotypes, inputs, labels, seed)
    return scores


def _each(
    program: Callable[[jax.Array], jax.Array],
    genotypes: np.ndarray,
    seen: Callable[[], None],
) -> np.ndarray:
    rows = []
    for genotype in np.asarray(genotypes):
        rows.append(jax.device_get(program(jnp.asarray(genotype, jnp.int32))))
        seen()
    return np.asarray(rows, np.float64)


def _finite(scores: np.ndarray) -> np.ndarray:
    """Put infinite scores just beyond the finite ones, which keeps the order."""
    finite = scores[np.isfinite(scores)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    return np.clip(scores, low - 1, high + 1)
