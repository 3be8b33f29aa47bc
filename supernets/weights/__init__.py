"""How a shared tensor is made for an architecture, before masks."""

from supernets.weights.base import Place as Place
from supernets.weights.base import Rules as Rules
from supernets.weights.base import Weight as Weight
from supernets.weights.mixture import Mixture as Mixture
from supernets.weights.presets import published as published
from supernets.weights.weighted import WeightedSupernet as WeightedSupernet
