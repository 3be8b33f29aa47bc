"""Comparing methods over seeds: what is paired with what, and how sure a result is."""
