"""Elastic layers: modules whose tensors declare which decisions they follow."""
