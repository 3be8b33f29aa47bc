"""The one train step, the optimisers, and the loop around them."""
