"""Questions about the framework itself, answered by runs over several seeds."""
