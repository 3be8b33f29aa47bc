"""What is random, and by which keys: each role has a stream of its own.

A key follows from the seed, the role and the step alone, so that a run that goes on
draws what it would have drawn, and what one role draws does not depend on the others.
"""

import jax

ROLES = (
    "init",
    "order",
    "augment",
    "strategy",
    "search",
    "calibration",
    "standalone",
    "partition",
    "watch",
)


def role_key(seed: int | jax.Array, role: str, step: int | jax.Array = 0) -> jax.Array:
    """Give the key of a role at a step, a function of nothing else."""
    key = jax.random.fold_in(jax.random.key(seed), ROLES.index(role))
    return jax.random.fold_in(key, step)
