"""The stages that list: search spaces, experiments, and what this machine has."""

from nas.cli.arguments import Arguments, unknown_option
from nas.cli.experiments import known_experiments
from nas.cli.output import print_list
from nas.cli.stages import Stage
from nas.errors import UserError


def spaces(stage: Stage, arguments: Arguments) -> int:
    """List every search space with its size."""
    _no_settings(stage, arguments)
    from search_spaces import discover

    rows = {
        name: f"{space.num_decisions} decisions, {_count(space.size)} architectures"
        for name, space in discover().items()
    }
    print_list("Search spaces (--supernet.space NAME)", rows)
    return 0


def experiments(stage: Stage, arguments: Arguments) -> int:
    """List every experiment with the first line of its lab note."""
    _no_settings(stage, arguments)
    print_list("Experiments (nas run NAME)", known_experiments())
    return 0


def doctor(stage: Stage, arguments: Arguments) -> int:
    """Print every finding, and what to do about those that are bad."""
    _no_settings(stage, arguments)
    from nas.runtime.doctor import examine

    found = examine()
    rows = {
        row.name: row.value if row.ok else f"PROBLEM: {row.value}. {row.hint}"
        for row in found
    }
    print_list("This machine", rows)
    return 0 if all(row.ok for row in found) else 1


def _no_settings(stage: Stage, arguments: Arguments) -> None:
    for name, _ in arguments.settings:
        raise UserError(unknown_option(name, [o.name for o in stage.options]))


def _count(number: int) -> str:
    return f"{number:,}" if number < 10**9 else f"{number:.3g}"
