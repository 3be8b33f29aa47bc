"""Where truth tables come from."""

import abc
import dataclasses
import importlib.resources

from nas.errors import UserError
from nas.ranking.table import TruthTable


class TruthSource(abc.ABC):
    """Names a truth table and loads it. Concrete ones are frozen dataclasses."""

    @abc.abstractmethod
    def load(self) -> TruthTable:
        """Read the table.

        Raises:
          UserError: there is none, or it is damaged.
        """


@dataclasses.dataclass(frozen=True)
class TruthFile(TruthSource):
    """A table in a file that `nas truth` made."""

    path: str = ""
    """The `.npz` file."""

    def load(self) -> TruthTable:
        """Read it; see `TruthSource.load`."""
        if not self.path:
            raise UserError(
                "truth: the path is empty. Give --ranking.truth.path FILE.npz, as made "
                "by nas truth EXPERIMENT."
            )
        return TruthTable.load(self.path)


@dataclasses.dataclass(frozen=True)
class PackagedTruth(TruthSource):
    """A table that comes with an installed package."""

    package: str
    """The package, such as `experiments`."""

    name: str
    """The file `truth/<name>.npz` in it."""

    def load(self) -> TruthTable:
        """Read it; see `TruthSource.load`."""
        file = importlib.resources.files(self.package) / "truth" / f"{self.name}.npz"
        if not file.is_file():
            raise UserError(
                f"truth: the package {self.package} holds no truth/{self.name}.npz."
            )
        with file.open("rb") as content:
            return TruthTable.load(content)
