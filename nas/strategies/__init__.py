"""What a training step does."""

from nas.strategies.alternating import Alternating as Alternating
from nas.strategies.base import Gradients as Gradients
from nas.strategies.base import Strategy as Strategy
from nas.strategies.paths import Paths as Paths
from nas.training.context import Batch as Batch
from nas.training.context import Context as Context
