"""How fast it is: each benchmark one ratio in one run, with its command."""
