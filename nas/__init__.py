"""Weight-sharing neural architecture search: train once, search, export the front."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.errors import UserError as UserError
    from nas.experiment import Experiment as Experiment
    from nas.export import load_subnet as load_subnet
    from nas.run import Run as Run
    from nas.settings import Export as Export
    from nas.settings import Finetune as Finetune
    from nas.settings import Training as Training

# Imported when first used: `nas --help` must not wait for JAX.
_HOMES = {
    "UserError": "nas.errors",
    "Experiment": "nas.experiment",
    "Export": "nas.settings",
    "Finetune": "nas.settings",
    "Training": "nas.settings",
    "load_subnet": "nas.export",
    "Run": "nas.run",
}


def __getattr__(name: str) -> Any:
    """Import a public name from where it is defined."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *_HOMES})
