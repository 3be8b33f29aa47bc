"""What runs of every kind have: an experiment, somebody to tell, a folder or none."""

import abc
import importlib.metadata
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import jax

from nas.errors import UserError
from nas.experiment import to_json
from nas.runtime.workdir import Workdir

if TYPE_CHECKING:
    from nas.search.loop import SearchLoop

E = TypeVar("E")


class AnyRun(abc.ABC, Generic[E]):
    """An experiment that is being carried out.

    Attributes:
      experiment: what is carried out.
      workdir: the folder of the run, or None when nothing is written.
      notify: told what a person should know, a line at a time.
      searched: the loop and its state, once a search is done.
      MAY_CHANGE: what of `config.json` a later run in the same folder may set anew.
      UNTOLD: of that, what nobody needs to be told about.
      PACKAGES: those whose versions `config.json` holds.
    """

    MAY_CHANGE: ClassVar[tuple[str, ...]]
    UNTOLD: ClassVar[tuple[str, ...]]
    PACKAGES: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        experiment: E,
        workdir: str | os.PathLike[str] | None = None,
        notify: Callable[[str], None] = print,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the data, check that the parts fit each other, and open the folder.

        Args:
          experiment: what to carry out.
          workdir: a folder; made, or continued if it holds the same experiment.
          notify: where to say what a person should know.
          extra: what else `config.json` should hold, such as the command.

        Raises:
          UserError: the data or the settings are wrong, or the folder is of another
            experiment or in use.
        """
        self.experiment = experiment
        self.notify = notify
        self.extra = dict(extra or {})
        self.searched: tuple[SearchLoop, Any] | None = None
        self.workdir: Workdir | None = None
        self._folder = None if workdir is None else Path(workdir).expanduser()
        self._check()
        if workdir is not None:
            self.workdir = Workdir(workdir)
            for changed in self.workdir.write_config(self.config, self.MAY_CHANGE):
                if not changed.path.startswith(self.UNTOLD):
                    notify(f"{changed.path}: {changed.old} before, now {changed.new}")

    @abc.abstractmethod
    def _check(self) -> None:
        """Find out now, before there is a folder, what does not fit."""

    @abc.abstractmethod
    def _facts(self) -> dict[str, Any]:
        """Say as JSON what decides the run and is not in the experiment's file."""

    @property
    def config(self) -> dict[str, Any]:
        """The whole experiment as JSON, with what its data are, and versions."""
        versions = {name: importlib.metadata.version(name) for name in self.PACKAGES}
        return (
            to_json(self.experiment)
            | self._facts()
            | {"versions": versions, "backend": jax.default_backend()}
            | self.extra
        )

    def latest_search(self) -> "tuple[SearchLoop, Any]":
        """Give the loop of the latest search, and its state.

        Raises:
          UserError: nothing was searched yet.
        """
        if self.searched is None:
            raise UserError("Nothing was searched yet. Search first: nas search.")
        return self.searched

    def close(self) -> None:
        """Let go of the folder."""
        if self.workdir is not None:
            self.workdir.close()

    def __enter__(self) -> Self:
        """Use the run in a `with` block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of the folder."""
        self.close()
