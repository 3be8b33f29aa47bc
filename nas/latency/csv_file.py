"""Latencies in a plain CSV file of the user's own, by architecture."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from nas.errors import UserError
from nas.latency.features import COSTS, encode
from nas.latency.model import COLUMN, LatencyModel
from nas.latency.source import LatencySource, checked_points, model_of_points
from nas.latency.table_csv import number, read_rows
from predictors.base import Predictor
from predictors.latency import crossed_error, standard
from search_spaces import SearchSpace
from search_spaces.errors import SpaceError
from supernets import Supernet


@dataclasses.dataclass(frozen=True)
class CSVLatency(LatencySource):
    """Latencies by architecture; those that are not listed are predicted.

    The first line names the columns: `latency_ms`, and `genotype` with option indices
    between spaces, as in `archive.csv`; or `id` with indices joined by dashes; or a
    column for each decision, named as in the space, with the option taken. Cells of
    decisions without effect may be empty. Other columns are left out.
    """

    path: str = ""
    """The CSV file."""

    predictor: Predictor | None = None
    """What is fitted for the others; none: a linear model of options and costs."""

    def load(self, supernet: Supernet) -> LatencyModel:
        """Read it; see `LatencySource.load`."""
        space = supernet.space
        rows = read_rows(self.path, (COLUMN,))
        if not rows:
            raise UserError(f"{self.path}: there is no line below the headings.")
        where = [f"{self.path}: row {i + 1}" for i in range(len(rows))]
        genotypes, ms = checked_points(
            space,
            [_genotype(space, row, at) for row, at in zip(rows, where, strict=True)],
            [number(row[COLUMN], at) for row, at in zip(rows, where, strict=True)],
            where,
        )
        text = f"{self.path}: {len(ms)} networks"
        model = model_of_points(
            supernet, genotypes, ms, self.predictor, text, exact=True
        )
        if model.complete:
            return dataclasses.replace(model, text=f"{text}, all there are")
        error = crossed_error(
            self.predictor or standard(len(COSTS)), encode(supernet, genotypes), ms
        )
        tau = "none" if error.tau is None else f"{error.tau:.2f}"
        return dataclasses.replace(
            model,
            text=f"{text}; others are predicted, with an error of {error.mape:.1%} and "
            f"a tau of {tau} where one listed was held out",
        )


def _genotype(space: SearchSpace, row: Mapping[str, str], where: str) -> np.ndarray:
    """Read the architecture of a line: int32[D]."""
    for name, separator in (("genotype", None), ("id", "-")):
        if name not in row or name in space.names:
            continue
        try:
            indices = [int(part) for part in row[name].split(separator)]
        except ValueError:
            raise UserError(
                f"{where}: {name} {row[name]!r} is no list of option indices. Give a "
                "column genotype with indices between spaces, or one for each decision."
            ) from None
        return np.asarray(indices, np.int32)
    return _named(space, row, where)


def _named(space: SearchSpace, row: Mapping[str, str], where: str) -> np.ndarray:
    missing = [name for name in space.names if name not in row]
    if missing:
        raise UserError(
            f"{where}: no column says which architecture it is. Give genotype, id, or "
            f"each decision of the space {space.name!r}; not there: "
            f"{', '.join(missing[:5])}{' ..' if len(missing) > 5 else ''}."
        )
    choices = {}
    for decision in space.decisions:
        text = row[decision.name]
        if text:
            # Options may be numbers, and a cell is a text.
            options = {str(option): option for option in decision.options}
            choices[decision.name] = options.get(text, text)
    try:
        return space.encode(choices)
    except SpaceError as error:
        raise UserError(f"{where}: {error}") from error
