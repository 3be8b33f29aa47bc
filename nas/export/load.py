"""Read an exported subnet back as a module, in any process."""

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nas.data import Preprocessing
from nas.errors import UserError
from nas.export.architecture import ARCHITECTURE, SubnetDescription, read_description
from nas.export.programs import make_program
from nas.export.weights import read_extracted
from supernets.loading import load_weights

WEIGHTS = "weights.safetensors"
PARITY = "parity.json"


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedSubnet:
    """A subnet with its weights, and with what belongs around it.

    Example:
      >>> subnet = load_subnet("subnets/0-1-2-3-4-0")  # doctest: +SKIP
      >>> subnet(images_uint8).argmax(-1)  # doctest: +SKIP

    Attributes:
      module: the NNX module in inference mode: from preprocessed inputs (normalised
        `float32[B, H, W, C]` images, or `int32[B, T]` tokens) to logits.
      description: the supernet and the genotype.
    """

    module: Any
    description: SubnetDescription

    @property
    def preprocessing(self) -> Preprocessing:
        """From raw inputs to the module's."""
        return self.description.preprocessing

    @property
    def class_names(self) -> tuple[str, ...]:
        """What each logit means."""
        return self.description.class_names

    @property
    def genotype(self) -> np.ndarray:
        """The architecture, `int32[D]`."""
        return self.description.genotype

    @property
    def choices(self) -> dict[str, Any]:
        """The architecture by name, `{decision: option}`."""
        return self.description.space.decode(self.genotype)

    def __call__(self, inputs: jax.Array | np.ndarray) -> jax.Array:
        """Map raw inputs to logits.

        Args:
          inputs: `uint8[B, H, W, C]` images, or `int32[B, T]` tokens.

        Returns:
          `float32[B, num_classes]`, or `float32[B, T, V]`.
        """
        return self._program(jnp.asarray(inputs))

    @functools.cached_property
    def _program(self) -> Any:
        return jax.jit(make_program(self.module, self.preprocessing))


def load_subnet(
    path: str | os.PathLike[str], supernets: Mapping[str, type] | None = None
) -> LoadedSubnet:
    """Read an exported subnet.

    Args:
      path: a folder `subnets/<id>`.
      supernets: classes of your own that the file may name, `{name: class}`. Nothing
        else than these and the installed supernets is ever built.

    Returns:
      The subnet, in inference mode.

    Raises:
      UserError: a file is missing, damaged, changed, of another schema, or needs a
        class that is not known here.
    """
    folder = find_subnet(path)
    description = read_description(folder / ARCHITECTURE, supernets)
    _check_sum(folder)
    extracted = read_extracted(folder / WEIGHTS)
    try:
        module = build_module(description, extracted)
    except ValueError as error:
        raise UserError(f"{folder / WEIGHTS}: {error}") from error
    return LoadedSubnet(module, description)


def build_module(description: SubnetDescription, extracted: Mapping[str, Any]) -> Any:
    """Build a subnet's module with its weights, in inference mode.

    Args:
      description: which.
      extracted: `{"params": .., "stats": ..}`, nested dictionaries of arrays.

    Raises:
      ValueError: the weights are not those of this architecture.
    """
    module: Any = description.supernet.subnet(description.genotype)
    load_weights(module, jax.tree.map(jnp.asarray, dict(extracted)))
    module.eval()
    return module


def find_subnet(path: str | os.PathLike[str]) -> Path:
    """Check that a folder holds a subnet.

    Args:
      path: the folder.

    Returns:
      It.

    Raises:
      UserError: it is not there, or a file that every subnet has is missing.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        beside = _subnets_in(folder.parent)
        raise UserError(
            f"{folder}: there is no such folder. Give the folder of an exported subnet"
            + (f"; beside it are {', '.join(beside)}." if beside else ".")
        )
    missing = [n for n in (ARCHITECTURE, WEIGHTS, PARITY) if not (folder / n).is_file()]
    if missing:
        inside = _subnets_in(folder) or _subnets_in(folder / "subnets")
        raise UserError(
            f"{folder} is no exported subnet: it lacks {', '.join(missing)}. "
            + (
                f"Give one of the folders in it: {', '.join(inside)}."
                if inside
                else "Copy the whole folder, or export the subnet again."
            )
        )
    return folder


def sha256(contents: bytes) -> str:
    """Sum a file, in hexadecimal digits."""
    return hashlib.sha256(contents).hexdigest()


def _check_sum(folder: Path) -> None:
    try:
        expected = json.loads((folder / PARITY).read_text("utf-8"))["sha256"][WEIGHTS]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder / PARITY} is damaged ({error!r:.200}), so nothing says that the "
            "weights are the ones that were checked. Export the subnet again."
        ) from error
    # The file's own reader tells a truncated file better than a sum does.
    read_extracted(folder / WEIGHTS)
    found = sha256((folder / WEIGHTS).read_bytes())
    if found != expected:
        raise UserError(
            f"{folder / WEIGHTS} has SHA-256 {found[:12]}.., but {expected[:12]}.. was "
            "exported and checked against the supernet. Copy the file or export again."
        )


def _subnets_in(folder: Path) -> list[str]:
    """Name a few of the exported subnets in a folder."""
    found = sorted(p.parent.name for p in folder.glob(f"[!.]*/{ARCHITECTURE}"))
    return found[:5] + ([".."] if len(found) > 5 else [])
