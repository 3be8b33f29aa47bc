"""The types in which normalisation and softmax are computed."""

from typing import Any

import jax.numpy as jnp


def at_least_float32(dtype: Any) -> jnp.dtype:
    """Give the type itself, or float32 if it has fewer bits."""
    return jnp.dtype(dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32)
