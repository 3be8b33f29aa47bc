"""Start a supernet from the weights of its trained largest subnet."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from nas.errors import UserError
from nas.training.step import State
from search_spaces import Architecture
from supernets.paths import flatten, unflatten

if TYPE_CHECKING:
    from nas.run import Run


def start_from(run: "Run", state: State, path: str | os.PathLike[str]) -> State:
    """Write the largest subnet's weights into freshly drawn shared ones.

    Extraction is linear in the shared weights, so that its transpose puts a subnet's
    weights back where they came from; what the subnet does not use stays as drawn.

    Args:
      run: whose supernet.
      state: freshly drawn.
      path: `weights.safetensors` of an exported largest subnet.

    Returns:
      The state, with every sub-supernet starting from those weights.

    Raises:
      UserError: the file is missing, broken, or of another subnet.
    """
    supernet = run.supernet
    genotype = supernet.largest()
    given = _read(Path(path))
    fresh = jax.tree.map(lambda leaf: leaf[0], state["params"])

    def cut(params: dict) -> dict:
        return supernet.extract(params, None, genotype)["params"]

    expected, transpose = jax.vjp(cut, fresh)
    wanted, found = flatten(expected), given
    wrong = [
        f"{'/'.join(p)}: expected {getattr(wanted.get(p), 'shape', 'nothing')}, found "
        f"{getattr(found.get(p), 'shape', 'nothing')}"
        for p in sorted(set(wanted) | set(found))
        if p not in wanted or p not in found or wanted[p].shape != found[p].shape
    ]
    if wrong:
        raise UserError(
            f"{path} does not hold the weights of the largest subnet of "
            f"{supernet.space.name} ({supernet.space.decode(genotype)}): "
            f"{'; '.join(wrong[:3])}. Export that subnet, or leave --init out."
        )
    values = unflatten({p: jnp.asarray(found[p]) for p in wanted})
    placed = transpose(values)[0]
    used = supernet.activity(Architecture.hard(supernet.space, genotype))
    start = jax.tree.map(
        lambda drawn, a, w: jnp.where(a > 0, w, drawn), fresh, used, placed
    )
    again = flatten(cut(start))
    if any(not np.array_equal(again[p], value) for p, value in flatten(values).items()):
        raise UserError(
            f"--init: this supernet makes its weights out of others "
            f"({type(supernet).__name__}), so that those of {path} cannot be put in "
            "their place. Start a supernet of plain weights, or leave --init out."
        )
    params = jax.tree.map(
        lambda leaf, w: jnp.broadcast_to(w[None], leaf.shape), state["params"], start
    )
    started = state | {"params": params}
    if "average" in state:
        # A copy: the state is donated, and no buffer may be so twice.
        started["average"] = jax.tree.map(jnp.copy, params)
    return started


def _read(path: Path) -> dict[tuple[str, ...], jax.Array]:
    if not path.is_file():
        raise UserError(f"--init: there is no file {path}.")
    try:
        flat = load_file(path)
    except SafetensorError as error:
        raise UserError(f"--init: {path} is no safetensors file: {error}.") from error
    return {
        tuple(name.split("/")[1:]): jnp.asarray(value)
        for name, value in flat.items()
        if name.startswith("params/")
    }
