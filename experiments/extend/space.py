"""A search space and a supernet of one's own: a two-layer network of elastic width.

A layer declares which entries of its tensors belong to which option (`Axis`); masks,
activity, extraction and cost follow from that.

    nas run experiments/extend/space.py
"""

import dataclasses
import math

import jax
import numpy as np
from flax import nnx

from nas import Experiment, Training
from nas.data import Digits
from nas.search import RandomSearch, Search
from search_spaces import Architecture, Decision, SearchSpace
from supernets import Outputs
from supernets.axis import Axis
from supernets.elastic import ElasticSupernet, Path, Scope
from supernets.layers.linear import ElasticLinear
from supernets.layers.mode import Mode

WIDTHS = (8, 16, 32)
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jax.numpy.tanh}
SPACE = SearchSpace(
    "two_layers",
    (Decision("width", WIDTHS), Decision("activation", tuple(ACTIVATIONS))),
)


class Network(nnx.Module):
    """The shared network."""

    def __init__(self, inputs: int, outputs: int, rngs: nnx.Rngs) -> None:
        """Build two linear maps around an elastic width."""
        width = Axis.prefix(["width"], [len(WIDTHS)], WIDTHS)
        self.hidden = ElasticLinear(inputs, width, positions=1, rngs=rngs)
        self.classifier = ElasticLinear(width, outputs, positions=1, rngs=rngs)

    def __call__(self, arch: Architecture, x: jax.Array, mode: Mode) -> Outputs:
        """Run an architecture."""
        choices = {"width": arch["width"]}
        h = self.hidden(x.reshape(x.shape[0], -1), choices)
        h = arch["activation"].select(list(ACTIVATIONS.values()), h)
        return Outputs(self.classifier(h, choices), h, {})


class Subnet(nnx.Module):
    """One architecture, of Flax's own layers."""

    def __init__(self, inputs: int, width: int, outputs: int, activation: str) -> None:
        """Build it; the weights come from the supernet."""
        self.hidden = nnx.Linear(inputs, width, rngs=nnx.Rngs(0))
        self.classifier = nnx.Linear(width, outputs, rngs=nnx.Rngs(0))
        self.activation = activation

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map images to logits."""
        h = self.hidden(x.reshape(x.shape[0], -1))
        return self.classifier(ACTIVATIONS[self.activation](h))


@dataclasses.dataclass(frozen=True)
class TwoLayers(ElasticSupernet):
    """The supernet over both decisions."""

    space: SearchSpace = SPACE
    input_shape: tuple[int, int, int] = (8, 8, 1)
    num_classes: int = 10

    __hash__ = ElasticSupernet.__hash__

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the shared network."""
        return Network(math.prod(self.input_shape), self.num_classes, rngs)

    def scopes(self) -> tuple[Scope, ...]:
        """Say that nothing is stacked, and everything exists."""
        return ()

    def subnet_path(self, path: Path, layer: int | None) -> Path:
        """Say that weights have the same names in a subnet."""
        return path

    def subnet(self, genotype: np.ndarray) -> nnx.Module:
        """Build one architecture."""
        choices = self.choices(genotype)
        inputs = math.prod(self.input_shape)
        width, activation = int(choices["width"]), str(choices["activation"])
        return Subnet(inputs, width, self.num_classes, activation)


experiment = Experiment(
    name="extend_space",
    supernet=TwoLayers(),
    data=Digits(),
    training=Training(steps=60, log_every=20, checkpoint_every=30),
    search=Search(RandomSearch(population=3), evaluations=6),
)
