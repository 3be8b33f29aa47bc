"""`latency.json`: what was measured on a device, and what it was measured on.

Letters in shapes: N architectures measured.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

import numpy as np

from nas.errors import UserError
from nas.latency.source import checked_points
from nas.runtime.workdir import write_json_atomic
from supernets import Supernet

SCHEMA = 1
_FIELDS = ("space", "space_hash", "settings", "measured_on", "date", "entries")


@dataclasses.dataclass(frozen=True)
class LatencyRecord:
    """Measured latencies of some architectures of one space.

    Attributes:
      space: its name.
      space_hash: its hash.
      settings: how they were measured: batch size, runs, precision.
      measured_on: the device, and the versions that a latency depends on.
      date: when the first was measured, UTC.
      entries: of each architecture `id`, `genotype`, `median_ms`, `quartiles_ms`,
        `runs`, `compile_seconds`, `macs`, `params`, and whether it is for `fit`.
      held_out: the errors on architectures that were not fitted; None before all are
        measured.
    """

    space: str
    space_hash: str
    settings: dict[str, Any]
    measured_on: dict[str, Any]
    date: str
    entries: tuple[dict[str, Any], ...] = ()
    held_out: dict[str, Any] | None = None

    @property
    def device(self) -> str:
        """The device, in words."""
        device = self.measured_on.get("device", "a device")
        return f"{device} ({self.measured_on.get('machine', 'unknown machine')})"

    @property
    def ms(self) -> np.ndarray:
        """`float64[N]`, medians."""
        return np.array([entry["median_ms"] for entry in self.entries], np.float64)

    @property
    def genotypes(self) -> np.ndarray:
        """`int32[N, D]`."""
        return np.array([entry["genotype"] for entry in self.entries], np.int32)

    @property
    def fit(self) -> np.ndarray:
        """`bool[N]`: which are fitted when the error on the others is told."""
        return np.array([entry["fit"] for entry in self.entries], bool)

    def same_conditions(self, other: Self) -> bool:
        """Whether measurements of both may stand side by side."""
        names = ("space_hash", "settings", "measured_on")
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def save(self, path: Path) -> None:
        """Write it, in place of what is there, by rename."""
        write_json_atomic(path, {"schema": SCHEMA} | dataclasses.asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
          UserError: there is no such file, or it is none of these.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(
                f"{path}: there is no such file. nas profile EXPERIMENT --latency "
                "measures one."
            ) from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} cannot be read as JSON: {error}.") from error
        try:
            if found["schema"] != SCHEMA:
                raise ValueError(f"schema {found['schema']}, known is {SCHEMA}")
            values = {name: found[name] for name in _FIELDS}
            record = cls(**values, held_out=found.get("held_out"))
            _ = record.ms, record.genotypes, record.fit
            for entry in record.entries:
                _ = entry["macs"], entry["params"]
        except (KeyError, TypeError, ValueError) as error:
            lacks = isinstance(error, KeyError)
            why = f"it lacks {error}" if lacks else str(error)
            raise UserError(
                f"{path} is no file of measured latencies: {why}. Measure again: "
                "nas profile EXPERIMENT --latency."
            ) from error
        return dataclasses.replace(record, entries=tuple(record.entries))

    def check(self, supernet: Supernet, where: str) -> tuple[np.ndarray, np.ndarray]:
        """Refuse what was measured on other networks.

        Args:
          supernet: the one in use.
          where: what to call the file.

        Returns:
          `int32[N, D]`, canonical, and `float64[N]`, ms.

        Raises:
          UserError: another space or network, or latencies that cannot be.
        """
        space = supernet.space
        again = "Measure this one: nas profile EXPERIMENT --latency."
        if self.space_hash != space.hash:
            raise UserError(
                f"{where} holds latencies of the space {self.space!r} "
                f"({self.space_hash}), but the experiment's is {space.name!r} "
                f"({space.hash}). {again}"
            )
        places = [f"{where}: entries[{i}]" for i in range(len(self.entries))]
        rows, ms = checked_points(
            space, [entry["genotype"] for entry in self.entries], self.ms, places
        )
        costs = supernet.costs(rows)
        for name in ("macs", "params"):
            then = np.array([entry[name] for entry in self.entries])
            wrong = np.flatnonzero(then != costs[name])
            if len(wrong):
                i = wrong[0]
                raise UserError(
                    f"{where} was measured on another network of this space: "
                    f"architecture {space.id(rows[i])} has {then[i]:,} {name} there "
                    f"and {costs[name][i]:,} here. {again}"
                )
        return rows, ms
