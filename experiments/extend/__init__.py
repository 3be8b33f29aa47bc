"""One short example of extending each seam; each is an experiment file of its own.

Try one with `nas run experiments/extend/sampler.py`. Nothing here is imported by the
framework: copy a file anywhere, change it, and give its path.
"""
