"""An experiment whose evaluations are look-ups in a table."""

import dataclasses
from pathlib import Path

from nas.errors import UserError
from nas.ranking.sources import TruthSource
from nas.search import Search
from supernets import Supernet


@dataclasses.dataclass(frozen=True)
class TabularExperiment:
    """Everything that decides a search without training."""

    name: str
    """What people call it; the default workdir is runs/<name>."""

    truth: TruthSource
    """The table: what every architecture of the space reached when trained alone."""

    supernet: Supernet
    """Whose space is searched; of the network itself only multiply-accumulates and
    parameters are counted."""

    search: Search
    """Which controller, objectives and budget; an evaluation is a look-up."""

    input_shape: tuple[int, ...] = (32, 32, 3)
    """Of one example of the data that the table is of, for counting."""

    num_classes: int = 10
    """Of that data, for counting."""

    decide: tuple[int, ...] = (0,)
    """Seeds of the table by whose mean the search decides; the others are reported."""

    most: int = 8
    """Members of the front that are reported, spread evenly along it."""

    seed: int = 0
    """Decides everything random; the table's numbers have no noise."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.name or Path(self.name).name != self.name:
            raise UserError(
                f"experiment: name is {self.name!r}; it names a folder, so it needs a "
                "character and no slash."
            )
        kinds = {"truth": TruthSource, "supernet": Supernet, "search": Search}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise UserError(
                    f"experiment: {name} is {getattr(self, name)!r}, which is no "
                    f"{kind.__name__}."
                )
        if not self.decide or len(set(self.decide)) < len(self.decide):
            raise UserError(
                f"experiment: decide is {self.decide}; give at least one seed of the "
                "table, each once."
            )
        if self.most < 1 or self.seed < 0:
            raise UserError(
                f"experiment: most is {self.most} and seed {self.seed}; at least 1, "
                "and not negative."
            )
