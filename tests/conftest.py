"""One set-up for every test: where JAX runs, and how strict it is.

What subprocesses should inherit is an environment variable, set before JAX is imported;
what concerns this process alone is a configuration value. The command line that a test
starts therefore sees one device and JAX's usual rules, as a user does.
"""

import gc
import os
from pathlib import Path

_CACHE = Path(__file__).parents[1] / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Nearly all time goes into compiling what runs for milliseconds; without most
# optimisations it is about six tenths. Set it to 0 to test what users run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Which line each operation is from would be written into each program, for nobody.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import jax
import optax
import pytest

# Tracing makes millions of small objects, next to none of them in cycles, and JAX looks
# through its own at each collection too: collecting at Python's usual pace takes a
# third of all time.
gc.set_threshold(500_000, 5, 5)

# Eight virtual devices cost nothing measurable while a computation sits on one of them.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


def _let_optax_promote() -> None:
    """Exempt Optax's own arithmetic: its schedules raise floats to integer steps."""
    create = optax.GradientTransformation.__new__

    def create_relaxed(cls, init, update):
        def relaxed(*args, **kwargs):
            with jax.numpy_dtype_promotion("standard"):
                return update(*args, **kwargs)

        return create(cls, init, relaxed)

    optax.GradientTransformation.__new__ = create_relaxed


_let_optax_promote()

# Compilation makes first examples slow, so no deadline; the same examples every time.
hypothesis.settings.register_profile(
    "tests", deadline=None, derandomize=True, max_examples=50, database=None
)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def nas_data() -> Path:
    """The folder with real data sets that `NAS_DATA` names; without it, a skip."""
    folder = os.environ.get("NAS_DATA")
    if not folder:
        pytest.skip("needs real data: set NAS_DATA to a folder that holds it")
    return Path(folder)
