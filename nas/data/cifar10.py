"""CIFAR-10 from its binary files: 60,000 colour images of 32x32 in 10 classes."""

import dataclasses

from nas.data.base import Dataset, DataSource
from nas.data.cifar_files import CifarLayout, read_cifar

NAME = "cifar10"

_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_LAYOUT = CifarLayout(
    name=NAME,
    subfolders=(
        "cifar10",
        "cifar-10-batches-bin",
        "cifar10/cifar-10-batches-bin",
        "cifar-10-batches-py",
        "cifar10/cifar-10-batches-py",
    ),
    train_files=tuple(f"{batch}.bin" for batch in _BATCHES),
    test_file="test_batch.bin",
    num_label_bytes=1,
    pickle_files=(*_BATCHES, "test_batch"),
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
)


@dataclasses.dataclass(frozen=True)
class Cifar10(DataSource):
    """CIFAR-10 from its binary version (data_batch_1.bin to 5, test_batch.bin)."""

    root: str = ""
    """Folder with the files, or with a usual subfolder that has them; empty: NAS_DATA.
    """

    def load(self) -> Dataset:
        """Read the six files."""
        return read_cifar(self.root, _LAYOUT)


SOURCE = Cifar10
