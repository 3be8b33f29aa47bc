"""`architecture.json`: which network a subnet is, what it takes, and what it answers.

Everything needed to build the module again, but for its weights, and everything that
`predict.py` needs to prepare an input and to name an answer.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nas.data import Preprocessing, read_preprocessing
from nas.errors import UserError
from nas.export.parts import describe_supernet, rebuild_supernet
from search_spaces import SearchSpace
from supernets.base import Supernet

ARCHITECTURE = "architecture.json"
ARCHITECTURE_SCHEMA = 1
_KEYS = {
    "schema",
    "id",
    "space",
    "space_hash",
    "genotype",
    "choices",
    "supernet",
    "input",
    "preprocessing",
    "class_names",
}


@dataclasses.dataclass(frozen=True)
class InputSpec:
    """What a program takes: one example, without the batch axis.

    Attributes:
      kind: what the numbers are: `image` or `tokens`.
      shape: of one example, `(H, W, C)` for images and `(T,)` for tokens.
      dtype: such as `uint8`.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class SubnetDescription:
    """A subnet without its weights.

    Attributes:
      supernet: that it was cut out of.
      genotype: `int32[D]`, canonical.
      preprocessing: that the programs contain.
      class_names: what each logit means.
    """

    supernet: Supernet
    genotype: np.ndarray
    preprocessing: Preprocessing
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse names, or a preprocessing, of other data."""
        found, needed = len(self.class_names), self.supernet.num_classes
        if found != needed:
            raise UserError(f"Found {found} class names for {needed} classes.")
        kind, needed = self.preprocessing.kind, self.supernet.input_dtype
        if needed != kind.INPUT_DTYPE:
            raise UserError(
                f"The preprocessing is for {kind.words.examples}, which become "
                f"{kind.INPUT_DTYPE}, but the network takes {needed}."
            )
        self.preprocessing.check_shape(tuple(self.supernet.input_shape))

    @property
    def space(self) -> SearchSpace:
        """The search space of the genotype."""
        return self.supernet.space

    @property
    def id(self) -> str:
        """The name of the folder."""
        return self.space.id(self.genotype)

    @property
    def input(self) -> InputSpec:
        """What the programs take."""
        kind = self.preprocessing.kind
        return InputSpec(kind.NAME, tuple(self.supernet.input_shape), kind.RAW_DTYPE)

    def to_json(self) -> dict[str, Any]:
        """Write as the contents of `architecture.json`."""
        return {
            "schema": ARCHITECTURE_SCHEMA,
            "id": self.id,
            "space": self.space.to_json(),
            "space_hash": self.space.hash,
            "genotype": [int(i) for i in self.genotype],
            "choices": self.space.decode(self.genotype),
            "supernet": describe_supernet(self.supernet),
            "input": {**dataclasses.asdict(self.input), "shape": [*self.input.shape]},
            "preprocessing": self.preprocessing.to_json(),
            "class_names": list(self.class_names),
        }


def read_description(
    path: Path, supernets: Mapping[str, type] | None = None
) -> SubnetDescription:
    """Read `architecture.json`, and check that its parts belong together.

    Args:
      path: the file.
      supernets: classes that are not in the `supernets` package.

    Returns:
      The subnet, without weights.

    Raises:
      UserError: the file is damaged, of another schema, was changed, or needs a class
        that is not known here.
    """
    data = _read_object(path)
    if data.get("schema") != ARCHITECTURE_SCHEMA:
        raise UserError(
            f"{path} has schema {data.get('schema')!r}; this version reads schema "
            f"{ARCHITECTURE_SCHEMA}. Read it with the version that exported it, or "
            "export the subnet again."
        )
    if missing := sorted(_KEYS - set(data)):
        raise UserError(
            f"{path} lacks {', '.join(missing)}. The file was changed; export again."
        )
    try:
        description = _describe(data, supernets)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise UserError(f"{path}: {reason}") from error
    written = json.loads(json.dumps(description.to_json()))
    # A user's own class may be found under another name than it was exported with.
    different = sorted(k for k in _KEYS - {"supernet"} if written[k] != data[k])
    if different:
        key = different[0]
        raise UserError(
            f"{path}: {key} is {data[key]!r:.200}, but the other entries make it "
            f"{written[key]!r:.200}. The file was changed; export the subnet again."
        )
    return description


def _describe(
    data: Mapping[str, Any], supernets: Mapping[str, type] | None
) -> SubnetDescription:
    space = SearchSpace.from_json(data["space"])
    if space.hash != data["space_hash"]:
        raise UserError(
            f"the search space has hash {space.hash}, but {data['space_hash']} was "
            "recorded. The file was changed; export the subnet again."
        )
    return SubnetDescription(
        supernet=rebuild_supernet(data["supernet"], space, supernets),
        genotype=space.canonical(space.validate(data["genotype"])),
        preprocessing=read_preprocessing(data["input"]["kind"], data["preprocessing"]),
        class_names=tuple(data["class_names"]),
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(
            f"{path} is no JSON: {error}. Copy it or export it again."
        ) from error
    if not isinstance(data, dict):
        raise UserError(f"{path} holds no JSON object. Copy it or export it again.")
    return data
