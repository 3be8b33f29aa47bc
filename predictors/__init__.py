"""Estimates on arrays: fitted accuracy and latency models, zero-cost proxies."""
