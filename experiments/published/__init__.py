"""Settings of published methods, to be put into an experiment."""
