"""Scores of untrained networks, on functions passed in."""

from predictors.zero_cost.base import Proxy as Proxy
