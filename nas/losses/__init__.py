"""What a training step minimises."""

from nas.losses.base import Loss as Loss
from nas.losses.cross_entropy import CrossEntropy as CrossEntropy
