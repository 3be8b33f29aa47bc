"""Policies: distributions over the genotypes of a space, with parameters to learn."""

from nas.policies.autoregressive import Autoregressive as Autoregressive
from nas.policies.base import Policy as Policy
from nas.policies.independent import Independent as Independent
