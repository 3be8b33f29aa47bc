import jax
import numpy as np

from nas.training.keys import ROLES, role_key


def test_every_role_and_step_has_a_key_of_its_own():
    keys = {
        tuple(np.asarray(jax.random.key_data(role_key(seed, role, step))).tolist())
        for seed in (0, 1)
        for role in ROLES
        for step in range(10)
    }
    assert len(keys) == 2 * len(ROLES) * 10
