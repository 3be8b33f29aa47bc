"""AZ-NAS: four views of an untrained network, assembled by their ranks.

Lee and Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search",
CVPR 2024, arXiv 2403.19232. Of the features that leave each primary block:
expressivity, the sum over blocks of the entropy of the normalised eigenvalues of the
channels' covariance; progressivity, the smallest increase of that entropy from one
block to the next; trainability, the mean over blocks of 2 - s - 1 / s, highest at s =
1, with s the spectral norm of a block's Jacobian, estimated from random signs sent
back through the block; complexity, the multiply-accumulates. In a population the four
are assembled by the sum of the logarithms of their ranks, so that a bad rank in one
view weighs more than good ones in others make up for.

What the paper leaves open is as in its released code: 1e-8 within the logarithm, 1e-6
below the fraction, strides by moving places into channels, and that a block which
changes nothing makes the network untrainable. Otherwise here: features without any
variance have an expressivity of minus infinity, where the code's is not a number.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from predictors.zero_cost.base import Apply, Proxy
from predictors.zero_cost.blocks import Blocks, beside, read_blocks

_NOISE = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class AZNAS(Proxy):
    """Expressivity, progressivity, trainability and complexity."""

    seed: int = 0
    """Of the signs and the noise, which are the same for every architecture."""

    noise: bool = True
    """Whether real inputs are replaced by gaussian noise, as in the paper; tokens stay
    as they are."""

    NAME = "az_nas"

    def score(
        self, apply: Apply, params: Any, x: jax.Array, labels: jax.Array | None = None
    ) -> jax.Array:
        """Look at the blocks.

        Args:
          apply: the network, normalised by the batch, its blocks marked; see
            `read_blocks`.
          params: its weights.
          x: `float[B, ..]` or `int[B, ..]`, inputs.
          labels: not used.

        Returns:
          `float[3]`: expressivity, progressivity, trainability.

        Raises:
          ValueError: the program marks no blocks.
        """
        del labels
        key = jax.random.key(self.seed)
        if self.noise and jnp.issubdtype(x.dtype, jnp.floating):
            # Of no block, whose keys are folded from the same seed by small numbers.
            x = jax.random.normal(jax.random.fold_in(key, _NOISE), x.shape, x.dtype)
        return _views(read_blocks(apply, key, entropy, trainability, params, x))

    def assemble(self, scores: np.ndarray, macs: np.ndarray) -> np.ndarray:
        """Add up the logarithms of ranks, from 1 / P to 1; equal ones share theirs.

        Args:
          scores: `float64[P, 3]` from `score`.
          macs: `[P]`, the complexity.

        Returns:
          `float64[P]`, at most 0.
        """
        views = np.column_stack([scores, np.asarray(macs, np.float64)])
        return np.log(stats.rankdata(views, axis=0) / len(views)).sum(1)


def entropy(features: jax.Array) -> jax.Array:
    """Give the entropy of the normalised eigenvalues of the channels' covariance.

    Args:
      features: `float[B, .., C]`.

    Returns:
      `float[]`, from 0 to log C, but for rounding; minus infinity without any variance.
    """
    rows = features.reshape(-1, features.shape[-1])
    centred = rows - rows.mean(0, keepdims=True)
    values = jnp.linalg.eigvalsh(centred.T @ centred / len(rows))
    # Rounding makes some of what should be 0 negative.
    values = jnp.maximum(values, 0)
    total = values.sum()
    shares = values / jnp.where(total > 0, total, 1)
    found = -(shares * jnp.log(shares + 1e-8)).sum()
    return jnp.where(total > 0, found, -jnp.inf)


def trainability(arrived: jax.Array, signs: jax.Array) -> jax.Array:
    """Say how near to 1 a block's Jacobian scales gradients.

    Args:
      arrived: `float[B, .., I]`, what signs become on their way back.
      signs: `float[B, .., O]`.

    Returns:
      2 - s - 1 / s, at most 0, with s the spectral norm of the mean over places of the
      products of both; minus infinity if the block changes nothing.
    """
    inner, outer = beside(arrived, signs)
    scale = jnp.linalg.norm(inner.T @ outer / len(outer), 2)
    found = 2 - scale - 1 / (scale + 1e-6)
    if arrived.shape != signs.shape:
        return found
    return jnp.where(jnp.all(arrived == signs), -jnp.inf, found)


def _views(blocks: Blocks) -> jax.Array:
    alive, (num,) = blocks.alive, blocks.alive.shape
    # What has an effect, in the order of the network, and the rest behind.
    features = blocks.features[jnp.argsort(~alive, stable=True)]
    steps = features[1:] - features[:-1]
    steps = jnp.where(jnp.isnan(steps), -jnp.inf, steps)
    within = jnp.arange(1, num) < alive.sum()
    looked_at = alive & ~jnp.isnan(blocks.transfer)
    transfer = jnp.where(looked_at, blocks.transfer, 0).sum()
    mean = transfer / looked_at.sum().astype(transfer.dtype)
    return jnp.stack(
        [
            jnp.where(alive, blocks.features, 0).sum(),
            jnp.where(within, steps, jnp.inf).min(),
            mean,
        ]
    )
