"""Small supernets: a vision transformer, and linear regressions.

What sharing costs a regression is a formula.
"""

import dataclasses

from flax import nnx

from search_spaces import Decision, SearchSpace
from search_spaces.vision_transformer import vision_transformer
from supernets import VisionTransformerSupernet
from supernets.axis import Axis
from supernets.base import Outputs
from supernets.elastic import ElasticSupernet
from supernets.layers.linear import ElasticLinear

SMALL = VisionTransformerSupernet(
    space=vision_transformer("small", (3, 5), (1, 2), (1, 2), (1.0, 2.0)),
    patch_size=2,
    head_size=2,
    input_shape=(4, 4, 1),
    num_classes=3,
)


@dataclasses.dataclass(frozen=True)
class Regression(ElasticSupernet):
    """A linear map of the first 1, 2, .. of some features."""

    space: SearchSpace
    input_shape: tuple[int, ...]
    num_classes: int = 1

    __hash__ = ElasticSupernet.__hash__

    def network(self, rngs):
        return _Linear(len(self.space.decisions[0].options), rngs)

    def scopes(self):
        return ()

    def subnet_path(self, path, layer):
        return path

    def subnet(self, genotype):
        width = self.space.decode(self.space.canonical(genotype))["width"]
        return nnx.Linear(width, 1, rngs=nnx.Rngs(0))


class _Linear(nnx.Module):
    def __init__(self, num: int, rngs: nnx.Rngs):
        width = Axis.prefix(("width",), (num,), range(1, num + 1))
        self.linear = ElasticLinear(width, 1, positions=1, rngs=rngs)

    def __call__(self, arch, x, mode):
        y = self.linear(x, {"width": arch["width"]})
        return Outputs(y, y, {})


def regression(num_widths: int = 2) -> Regression:
    """Make the supernet of regressions on 1, 2, .. features."""
    widths = Decision("width", tuple(range(1, num_widths + 1)))
    return Regression(SearchSpace("regression", (widths,)), (num_widths,))
