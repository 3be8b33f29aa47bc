"""Check what an evaluation gave before anything learns from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nas.errors import UserError
from search_spaces import SearchSpace


def check_evaluated(
    space: SearchSpace,
    columns: Sequence[str],
    genotypes: np.ndarray,
    values: Mapping[str, Any],
) -> None:
    """Refuse values that are missing, of another shape or not finite.

    Args:
      space: where the genotypes come from.
      columns: what must be there.
      genotypes: int32[N, D], at least one: what was evaluated.
      values: what was found, by column.

    Raises:
      UserError: a column is wrong. It names the column and the genotype.
    """
    num = len(genotypes)
    for name in columns:
        shape = np.shape(values[name]) if name in values else None
        if shape != (num,):
            found = "not at all" if shape is None else f"of shape {shape}"
            raise UserError(
                f"evaluating {num} architectures, of which the first is "
                f"{space.id(genotypes[0])}, gave {name} {found}; it must be of shape "
                f"({num},), a number for each. Put right what evaluates"
            )
        column = np.asarray(values[name], np.float64)
        if not np.isfinite(column).all():
            bad = int(np.argmin(np.isfinite(column)))
            raise UserError(
                f"evaluating architecture {space.id(genotypes[bad])} gave {name} = "
                f"{column[bad]}: the supernet's weights do not work for it. Train "
                "again with a smaller learning rate, with clipping or in float32"
            )
