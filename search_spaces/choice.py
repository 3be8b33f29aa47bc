"""Choices: what a network gets when it asks an architecture for a decision.

A choice is a point on the simplex over a decision's options. It is *hard* when it also
carries the index of its one option, so that code may skip the others, and *soft*
otherwise. A network uses it by two verbs, `mask` and `select`, and never learns which
kind it holds. Combinators make choices out of choices: `joint`, `Choice.group`, and, on
architectures, `stack`.

Letters in shapes: K options of a choice, L layers of a stacked choice.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("weights", "index"),
    meta_fields=("names", "options"),
)
@dataclasses.dataclass(frozen=True)
class Choice:
    """A point on the simplex over the options of one or several decisions.

    Attributes:
      weights: `float32[K]`, on the simplex; a stacked choice has `[L, K]`.
      index: `int32[]` (stacked: `[L]`) of the one option taken, or None when soft.
      names: the decisions it is made of, in order.
      options: K of them; the options of a joint choice are tuples, one entry a name.
    """

    weights: jax.Array
    index: jax.Array | None
    names: tuple[str, ...]
    options: tuple[Any, ...]

    def mask(self, *members: np.ndarray) -> jax.Array:
        """Weigh the entries of a tensor by the options they belong to.

        `m[j, ..] = sum_k w_k prod_a member_a[k, j_a]`: superposing the zero-padded
        slices of a shared tensor is one multiplication by it, whatever the number of
        options (Sukthanker, Krishnakumar, Safari and Hutter 2024, arXiv 2312.10440).

        Args:
          *members: for each axis, `bool[K, n]`: the entries that belong to option k.

        Returns:
          `[n_1, n_2, ..]`, in [0, 1], of the weights' type.
        """
        if self.index is not None:
            # One option: its weight alone is differentiated, and nothing is summed.
            result = self.weights[self.index]
            for member in members:
                row = jnp.asarray(member, result.dtype)[self.index]
                result = jnp.multiply.outer(result, row)
            return result
        letters = "abcdefgh"[: len(members)]
        terms = ",".join(f"k{letter}" for letter in letters)
        arrays = [jnp.asarray(member, self.weights.dtype) for member in members]
        formula = f"k,{terms}->{letters}" if members else "k->"
        return jnp.einsum(formula, self.weights, *arrays, precision="highest")

    def select(
        self,
        branches: Sequence[Callable[..., Any]],
        *operands: Any,
        has_aux: bool = False,
    ) -> Any:
        """Run one branch (hard), or the weighted sum of all of them (soft).

        Hard, it is a switch whose backward pass recomputes the chosen branch, so that
        memory and time are those of one branch.

        Args:
          branches: one for each option; pure functions of the operands that return one
            structure. They must not close over what is differentiated.
          *operands: pytrees of arrays.
          has_aux: branches return `(value, aux)`; aux is added over the branches that
            ran, without weights, and each branch gives zeros where it has nothing.

        Returns:
          The structure that a branch returns.

        Raises:
          ValueError: not one branch for each option.
        """
        if len(branches) != len(self.options):
            raise ValueError(
                f"{len(branches)} branches for the {len(self.options)} options of "
                f"{', '.join(self.names)}; give one branch for each option."
            )
        if self.index is not None:
            value = _switch(tuple(branches), self.index, operands)
            weight = self.weights[self.index]
            if has_aux:
                return _scale(weight, value[0]), value[1]
            return _scale(weight, value)
        values = [branch(*operands) for branch in branches]
        aux = None
        if has_aux:
            aux = jax.tree.map(lambda *leaves: sum(leaves), *[v[1] for v in values])
            values = [v[0] for v in values]
        scaled = [_scale(w, v) for w, v in zip(self.weights, values, strict=True)]
        total = jax.tree.map(lambda *leaves: sum(leaves), *scaled)
        return (total, aux) if has_aux else total

    def group(
        self, groups: Sequence[Sequence[int]]
    ) -> tuple["Choice", tuple["Choice", ...]]:
        """Split a choice into the mass of groups, and the choice within each.

        The mass multiplies what a group computes from outside, so that a normaliser
        inside the group cannot hide it; the choices within are conditional.

        Args:
          groups: for each group the indices of its options; each option in one group.

        Returns:
          The choice between groups, and for each group the choice within. Where a
          group has no mass, the choice within is its first option and has no gradient.

        Raises:
          ValueError: the groups are no partition of the options.
        """
        flat = sorted(itertools.chain(*groups))
        if flat != list(range(len(self.options))):
            raise ValueError(
                f"Groups {[list(g) for g in groups]} are no partition of the "
                f"{len(self.options)} options of {', '.join(self.names)}."
            )
        members = [jnp.asarray(list(group)) for group in groups]
        weights = self.weights
        if self.index is not None:
            # Of a hard choice the chosen weight alone is differentiated.
            taken = jnp.arange(len(self.options), dtype=jnp.int32) == self.index
            weights = jnp.where(taken, weights, 0)
        mass = jnp.stack([weights[m].sum() for m in members])
        outer_index, inner_index = None, [None] * len(groups)
        if self.index is not None:
            where = np.zeros(len(self.options), np.int32)
            place = np.zeros(len(self.options), np.int32)
            for g, group in enumerate(groups):
                where[list(group)] = g
                place[list(group)] = np.arange(len(group))
            outer_index = jnp.asarray(where)[self.index]
            inner_index = [
                jnp.where(outer_index == g, jnp.asarray(place)[self.index], 0)
                for g in range(len(groups))
            ]
        outer = Choice(
            mass,
            outer_index,
            (f"{'+'.join(self.names)}/group",),
            tuple(tuple(self.options[i] for i in group) for group in groups),
        )
        inner = []
        for g, group in enumerate(groups):
            first = jnp.zeros(len(group), weights.dtype).at[0].set(1)
            empty = mass[g] <= 0
            # The inner `where` keeps 0 / 0, and its gradient, out of the graph.
            safe = jnp.where(empty, 1, mass[g])
            within = jnp.where(empty, first, weights[members[g]] / safe)
            options = tuple(self.options[i] for i in group)
            inner.append(Choice(within, inner_index[g], self.names, options))
        return outer, tuple(inner)


def joint(*choices: Choice) -> Choice:
    """Combine choices into one over the tuples of their options.

    A decision that is used twice stays one choice: what `joint` crosses are decisions,
    not appearances, because a product of two masks of one soft choice is wrong.

    Args:
      *choices: at least one; a joint choice takes part by its weights over tuples, and
        may share no decision with another unless it is the same choice.

    Returns:
      The choice over the outer product, row-major; its options are flat tuples in the
      order of its names. Of one distinct choice, that choice itself.

    Raises:
      ValueError: two different choices share a decision.
    """
    distinct: list[Choice] = []
    for choice in choices:
        if any(choice.names == other.names for other in distinct):
            continue
        shared = {n for c in distinct for n in c.names} & set(choice.names)
        if shared:
            raise ValueError(
                f"joint: {', '.join(sorted(shared))} is part of two different choices; "
                "combine the single decisions instead."
            )
        distinct.append(choice)
    result = distinct[0]
    for choice in distinct[1:]:
        result = _pair(result, choice)
    return result


def prefix(sizes: Sequence[int], n: int) -> np.ndarray:
    """Make the usual member: option k holds the first `sizes[k]` of n entries.

    Args:
      sizes: K sizes, each 1 to n.
      n: the length of the axis.

    Returns:
      `bool[K, n]`.

    Raises:
      ValueError: a size outside 1 to n.
    """
    wrong = [size for size in sizes if not 1 <= size <= n]
    if wrong:
        raise ValueError(
            f"prefix: sizes {wrong} of {tuple(sizes)} are not in 1 to {n}."
        )
    return np.arange(n)[None, :] < np.asarray(sizes)[:, None]


def _pair(a: Choice, b: Choice) -> Choice:
    weights = (a.weights[..., :, None] * b.weights[..., None, :]).reshape(
        *jnp.broadcast_shapes(a.weights.shape[:-1], b.weights.shape[:-1]), -1
    )
    index = None
    if a.index is not None and b.index is not None:
        index = a.index * len(b.options) + b.index
    options = tuple(
        _flat(x, len(a.names)) + _flat(y, len(b.names))
        for x, y in itertools.product(a.options, b.options)
    )
    return Choice(weights, index, a.names + b.names, options)


def _flat(option: Any, num_names: int) -> tuple[Any, ...]:
    return option if num_names > 1 else (option,)


def _scale(weight: jax.Array, tree: Any) -> Any:
    return jax.tree.map(lambda leaf: weight.astype(leaf.dtype) * leaf, tree)


def _switch(
    branches: tuple[Callable[..., Any], ...], index: jax.Array, operands: Any
) -> Any:
    """Switch between branches, recomputing the chosen one in the backward pass."""
    leaves, treedef = jax.tree.flatten(operands)
    inexact = [jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) for leaf in leaves]
    floats = [leaf for leaf, is_float in zip(leaves, inexact, strict=True) if is_float]
    others = [leaf for leaf, f in zip(leaves, inexact, strict=True) if not f]

    def on_leaves(branch: Callable[..., Any]) -> Callable[..., Any]:
        def run(floats: list[jax.Array], others: list[jax.Array]) -> Any:
            f, o = iter(floats), iter(others)
            merged = [next(f) if is_float else next(o) for is_float in inexact]
            return branch(*jax.tree.unflatten(treedef, merged))

        return run

    return _switch_leaves(tuple(map(on_leaves, branches)), index, floats, others)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _switch_leaves(
    branches: tuple[Callable[..., Any], ...],
    index: jax.Array,
    floats: list[jax.Array],
    others: list[jax.Array],
) -> Any:
    return jax.lax.switch(index, branches, floats, others)


def _switch_forward(
    branches: tuple[Callable[..., Any], ...],
    index: jax.Array,
    floats: list[jax.Array],
    others: list[jax.Array],
) -> tuple[Any, Any]:
    value = jax.lax.switch(index, branches, floats, others)
    return value, (index, floats, others)


def _switch_backward(
    branches: tuple[Callable[..., Any], ...], residuals: Any, cotangent: Any
) -> tuple[None, list[jax.Array], None]:
    index, floats, others = residuals

    def pull(branch: Callable[..., Any]) -> Callable[..., Any]:
        def run(floats: Any, others: Any, cotangent: Any) -> Any:
            _, vjp = jax.vjp(lambda f: branch(f, others), floats)
            return vjp(cotangent)[0]

        return run

    pulls = [pull(branch) for branch in branches]
    return None, jax.lax.switch(index, pulls, floats, others, cotangent), None


_switch_leaves.defvjp(_switch_forward, _switch_backward)
