"""Truth tables: what architectures reach when each is trained alone, over seeds.

A table is one `.npz` file without pickles. It says how its numbers were made, and its
hash says whether two rankings were held against the same numbers.

Letters in shapes: P architectures, D decisions, S seeds.
"""

import dataclasses
import functools
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from nas.errors import UserError
from nas.runtime.workdir import write_bytes_atomic
from search_spaces import SearchSpace
from search_spaces.errors import SpaceError

_ARRAYS = ("genotypes", "seeds", "error", "nll", "space", "provenance")


@dataclasses.dataclass(frozen=True, eq=False)
class TruthTable:
    """Errors of architectures that were trained alone.

    Attributes:
      space: whose architectures.
      genotypes: `int32[P, D]`, canonical, each once.
      seeds: `int32[S]`, of the trainings.
      error: `float64[P, S]`, the fraction of labels that were not answered, on examples
        that no training and no ranking sees; NaN where there is no such training.
      nll: `float64[P, S]`, the mean negative log-likelihood in nats; NaN likewise.
      provenance: how it was made: name, command, settings, versions, date.
      columns: whatever else is known of an architecture, `float64[P]` by name, such as
        `latency_ms`.
    """

    space: SearchSpace
    genotypes: np.ndarray
    seeds: np.ndarray
    error: np.ndarray
    nll: np.ndarray
    provenance: dict[str, Any]
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit, unknown genotypes and those that occur twice.

        Raises:
          UserError: one of these.
        """
        name = self.provenance.get("name", "truth table")
        try:
            genotypes = self.space.validate(self.genotypes, f"{name}: genotypes")
        except SpaceError as error:
            raise UserError(str(error)) from error
        shape = (len(genotypes), len(self.seeds))
        for column in ("error", "nll"):
            found = getattr(self, column).shape
            if found != shape:
                raise UserError(
                    f"{name}: {column} has shape {list(found)}, but there are "
                    f"{shape[0]} architectures and {shape[1]} seeds."
                )
        for column, values in self.columns.items():
            if values.shape != shape[:1]:
                raise UserError(
                    f"{name}: column {column} has shape {list(values.shape)}, but "
                    f"there are {shape[0]} architectures."
                )
        rows, counts = np.unique(
            self.space.canonical(genotypes), axis=0, return_counts=True
        )
        if (counts > 1).any():
            twice = self.space.id(rows[counts.argmax()])
            raise UserError(
                f"{name}: architecture {twice} is there {counts.max()} times; each "
                "may be there once."
            )

    def __len__(self) -> int:
        """The number of architectures, P."""
        return len(self.genotypes)

    @functools.cached_property
    def hash(self) -> str:
        """16 hexadecimal digits of the space, the genotypes and both measures."""
        digest = hashlib.sha256(self.space.hash.encode())
        for array in (self.genotypes, self.error, self.nll):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.provenance.get("name", "truth"))

    def mean(self, column: str = "error") -> np.ndarray:
        """Average a measure over the seeds that there are.

        Args:
          column: `error` or `nll`.

        Returns:
          `float64[P]`; NaN where no seed was trained.
        """
        values = getattr(self, column)
        known = np.isfinite(values)
        total = np.where(known, values, 0).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(known.any(1), total / known.sum(1), np.nan)

    def complete(self) -> Self:
        """Keep the architectures of which every seed was trained."""
        return self.take(np.flatnonzero(np.isfinite(self.error).all(1)))

    def take(self, rows: np.ndarray) -> Self:
        """Keep some architectures.

        Args:
          rows: integers, which.
        """
        return dataclasses.replace(
            self,
            genotypes=self.genotypes[rows],
            error=self.error[rows],
            nll=self.nll[rows],
            columns={name: values[rows] for name, values in self.columns.items()},
        )

    def for_space(self, space: SearchSpace) -> Self:
        """Write the architectures as genotypes of another space, by name.

        Args:
          space: a space with the same decisions; options may be fewer or more.

        Returns:
          A table over `space` of the architectures that both have.

        Raises:
          UserError: the decisions differ, or no architecture is in both.
        """
        if space.hash == self.space.hash:
            return self
        ours = [decision.name for decision in self.space.decisions]
        theirs = [decision.name for decision in space.decisions]
        if ours != theirs:
            raise UserError(
                f"{self.name} is of the space {self.space.name} with decisions "
                f"{', '.join(ours)}, but the experiment's space {space.name} has "
                f"{', '.join(theirs)}. Give a table of the same decisions."
            )
        columns = []
        for d, decision in enumerate(self.space.decisions):
            options = list(space.decisions[d].options)
            places = [
                options.index(option) if option in options else -1
                for option in decision.options
            ]
            columns.append(np.asarray(places)[self.genotypes[:, d]])
        genotypes = np.stack(columns, axis=1).astype(np.int32)
        kept = np.flatnonzero((genotypes >= 0).all(1))
        if not len(kept):
            raise UserError(
                f"{self.name} and the experiment's space {space.name} have no "
                "architecture in common: their options differ."
            )
        return dataclasses.replace(
            self.take(kept), space=space, genotypes=space.canonical(genotypes[kept])
        )

    # ------------------------------------------------------------------- files
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table, in place of what is there, by rename.

        Args:
          path: an `.npz` file.
        """
        arrays = {
            "genotypes": self.genotypes.astype(np.int16),
            "seeds": np.asarray(self.seeds, np.int32),
            "error": self.error,
            "nll": self.nll,
            "space": np.asarray(json.dumps(self.space.to_json())),
            "provenance": np.asarray(json.dumps(self.provenance)),
        }
        arrays |= {f"column/{name}": v for name, v in self.columns.items()}
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        write_bytes_atomic(path, content.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str] | IO[bytes]) -> Self:
        """Read a table that `save` wrote; nothing is unpickled.

        Args:
          path: an `.npz` file, or one that is open.

        Raises:
          UserError: there is no such file, or it is no truth table.
        """
        name = str(path) if isinstance(path, str | os.PathLike) else "truth table"
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {key: file[key] for key in file.files}
        except FileNotFoundError:
            raise UserError(
                f"{name}: there is no such file. nas truth EXPERIMENT makes one."
            ) from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(
                f"{name}: no truth table: it cannot be read as an .npz file of plain "
                f"arrays ({error}). nas truth EXPERIMENT makes one."
            ) from error
        missing = [key for key in _ARRAYS if key not in found]
        if missing:
            raise UserError(
                f"{name}: no truth table: it lacks {', '.join(missing)}; found "
                f"{', '.join(found) or 'nothing'}."
            )
        try:
            space = SearchSpace.from_json(json.loads(str(found["space"])))
            provenance = json.loads(str(found["provenance"]))
        except (SpaceError, ValueError) as error:
            raise UserError(f"{name}: no truth table: {error}") from error
        return cls(
            space,
            found["genotypes"].astype(np.int32),
            found["seeds"],
            found["error"],
            found["nll"],
            provenance,
            {
                Path(key).name: values
                for key, values in found.items()
                if key.startswith("column/")
            },
        )
