"""The command line: `nas STAGE [EXPERIMENT] [--dotted.override VALUE ..]`."""
