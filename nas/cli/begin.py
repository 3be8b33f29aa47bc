"""What a command that computes does before anything that could use a device."""

from nas.cli.arguments import Arguments


def begin(arguments: Arguments) -> None:
    """Join the other processes, if there are any, and keep compiled programs.

    Args:
      arguments: of the command.

    Raises:
      UserError: it says of the other processes what cannot be.
    """
    from nas.runtime import compilation_cache, processes

    processes.initialize_distributed(
        arguments.one("coordinator"),
        arguments.one("num-processes"),  # pyright: ignore[reportArgumentType]
        arguments.one("process-id"),  # pyright: ignore[reportArgumentType]
    )
    compilation_cache.enable()
