"""Which architectures share weights at all."""

from nas.partition.base import Partition as Partition
from nas.partition.base import assign as assign
from nas.partition.whole import Whole as Whole
