"""What the tests of data share."""

from collections.abc import Callable

import pytest

from nas.data import DataSource
from nas.errors import UserError


@pytest.fixture(autouse=True)
def _no_data_variable(monkeypatch):
    """Hide the data of this machine; a test that is about them was given the root."""
    monkeypatch.delenv("NAS_DATA", raising=False)


@pytest.fixture
def refuses() -> Callable[..., None]:
    """Check that a source does not load, and that its one message has these words."""

    def check(source: DataSource, *words: str) -> None:
        with pytest.raises(UserError) as caught:
            source.load()
        for word in words:
            assert word in str(caught.value)

    return check
