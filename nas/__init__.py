"""The engine: training, search, evaluation, export and the command line."""
