"""CIFAR-100 from its binary files: 60,000 colour images of 32x32 in 100 classes."""

import dataclasses

from nas.data.base import Dataset, DataSource
from nas.data.cifar_files import CifarLayout, read_cifar

NAME = "cifar100"

_CLASS_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach
couch crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster
house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket
rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip
turtle wardrobe whale willow_tree wolf woman worm
"""

_LAYOUT = CifarLayout(
    name=NAME,
    subfolders=(
        "cifar100",
        "cifar-100-binary",
        "cifar100/cifar-100-binary",
        "cifar-100-python",
        "cifar100/cifar-100-python",
    ),
    train_files=("train.bin",),
    test_file="test.bin",
    num_label_bytes=2,
    pickle_files=("train", "test"),
    class_names=tuple(_CLASS_NAMES.split()),
)


@dataclasses.dataclass(frozen=True)
class Cifar100(DataSource):
    """CIFAR-100 with its 100 fine labels, from its binary version."""

    root: str = ""
    """Folder with train.bin and test.bin, or with a usual subfolder; empty: NAS_DATA.
    """

    def load(self) -> Dataset:
        """Read the two files."""
        return read_cifar(self.root, _LAYOUT)


SOURCE = Cifar100
