"""Which architectures share weights at all."""

from nas.partition.base import Partition as Partition
from nas.partition.base import Probe as Probe
from nas.partition.base import Refinement as Refinement
from nas.partition.base import assign as assign
from nas.partition.few_shot import FewShot as FewShot
from nas.partition.gradient_matching import GradientMatching as GradientMatching
from nas.partition.whole import Whole as Whole
