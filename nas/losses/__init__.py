"""What a training step minimises."""

from nas.losses.alpha_divergence import AlphaDivergence as AlphaDivergence
from nas.losses.base import Divergence as Divergence
from nas.losses.base import Divergences as Divergences
from nas.losses.base import Loss as Loss
from nas.losses.base import mean_over_places as mean_over_places
from nas.losses.cross_entropy import CrossEntropy as CrossEntropy
from nas.losses.kl_divergence import KLDivergence as KLDivergence
