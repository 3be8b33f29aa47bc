"""Every discovered supernet, as cases that share weights, data and programs."""

import functools

import jax
import pytest

import supernets
from tests.supernets.contract import Case


@functools.cache
def _case(name: str, dtype: str) -> Case:
    return Case(supernets.discover_tiny()[name], dtype)


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """Extracted networks run operation by operation: thousands of small programs."""
    yield
    _case.cache_clear()
    jax.clear_caches()


@pytest.fixture(params=sorted(supernets.discover_tiny()))
def name(request) -> str:
    return request.param


@pytest.fixture
def case(name):
    """A case in float64."""
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield _case(name, "float64")


@pytest.fixture
def case32(name):
    """A case in float32, at the highest precision of matrix products."""
    with jax.default_matmul_precision("highest"):
        yield _case(name, "float32")
