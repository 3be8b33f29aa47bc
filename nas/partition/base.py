"""Partitions: which architectures share weights at all.

A partition splits the genotypes of a space among S sub-supernets (Zhao et al.,
"Few-shot Neural Architecture Search", ICML 2021, arXiv 2006.06863). Each has weights of
its own and a table of the options it allows; every canonical genotype is allowed in
exactly one of them.
"""

import abc

import jax
import jax.numpy as jnp
import numpy as np

from nas.errors import UserError
from search_spaces import SearchSpace


class Partition(abc.ABC):
    """Says which options each sub-supernet allows. Concrete ones are frozen."""

    @abc.abstractmethod
    def tables(self, space: SearchSpace) -> np.ndarray:
        """Give the allowed options, before they are closed under conditions.

        Args:
          space: the search space.

        Returns:
          `bool[S, D, O]`.
        """


def checked_tables(partition: Partition, space: SearchSpace) -> np.ndarray:
    """Close a partition's tables under the space's conditions, and check them.

    Args:
      partition: the partition.
      space: the search space.

    Returns:
      `bool[S, D, O]`: each canonical genotype is allowed in exactly one of S.

    Raises:
      UserError: some genotype is allowed in no sub-supernet, or in several.
    """
    tables = np.stack([space.restrict(table) for table in partition.tables(space)])
    probes = np.asarray(space.sample(jax.random.key(0), 512))
    if space.size <= 4096:
        probes = space.enumerate()
    columns = np.arange(space.num_decisions)
    homes = np.sum([table[columns, probes].all(-1) for table in tables], axis=0)
    if (homes != 1).any():
        worst = probes[int(np.argmax(homes != 1))]
        raise UserError(
            f"partition: architecture {space.decode(worst)} is allowed in "
            f"{int(homes[np.argmax(homes != 1)])} sub-supernets of {len(tables)}; "
            "every architecture must be allowed in exactly one."
        )
    return tables


def assign(tables: jax.Array, genotype: jax.Array) -> jax.Array:
    """Find the sub-supernet that a genotype belongs to.

    Args:
      tables: `bool[S, D, O]`.
      genotype: `int32[D]`, canonical; traceable.

    Returns:
      `int32[]`, the index of the sub-supernet.
    """
    columns = jnp.arange(tables.shape[1])
    return jnp.argmax(tables[:, columns, genotype].all(-1)).astype(jnp.int32)
