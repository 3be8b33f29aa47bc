"""What a training step minimises."""

from nas.losses.base import Loss as Loss
from nas.losses.base import mean_over_places as mean_over_places
from nas.losses.cross_entropy import CrossEntropy as CrossEntropy
