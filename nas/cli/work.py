"""The stages that carry out an experiment, or a part of it."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli.arguments import Arguments
from nas.cli.begin import begin
from nas.cli.latency import profile_latency
from nas.cli.output import (
    outdate,
    print_front,
    print_pairs,
    print_places,
    print_ranking,
    report,
    short_path,
    tell,
)
from nas.cli.session import Session, load_session
from nas.cli.stages import Stage
from nas.cli.tabular import TABULAR_STAGES, profile_table, search_table
from nas.errors import UserError

if TYPE_CHECKING:
    from nas.run import Run
    from nas.stages.front import Member


def run(stage: Stage, arguments: Arguments) -> int:
    """Train, search, measure the front again, export it, report."""
    session = _start(stage, arguments)
    if session.tabular:
        return search_table(session)
    with session.open(tell) as work:
        members = _finished(work)
        if members is not None:
            where = short_path(session.workdir)
            tell(f"This run is done, nothing is left to do: {where}")
        else:
            outdate(work.workdir)
            work.train(arguments.one("init"))
            work.search()
            work.front()
            members = work.export()
            report(work.workdir)
    _show(session, members)
    return 0


def train(stage: Stage, arguments: Arguments) -> int:
    """Train the supernet."""
    session = _start(stage, arguments)
    with session.open(tell) as work:
        work.train(arguments.one("init"))
    tell(f"Next: nas search {short_path(session.workdir)}")
    return 0


def search(stage: Stage, arguments: Arguments) -> int:
    """Search the trained supernet and measure the front again."""
    session = _start(stage, arguments)
    if session.tabular:
        _refuse_fork(session, arguments.one("into"))
        return search_table(session)
    _check_trained(session)
    session = _forked(session, arguments.one("into"))
    with session.open(tell) as work:
        outdate(work.workdir)
        work.search()
        members = work.front()
        _drop_subnets(work, members)
        report(work.workdir)
    _show(session, members)
    tell(f"Next: nas export {short_path(session.workdir)}")
    return 0


def export(stage: Stage, arguments: Arguments) -> int:
    """Export members of the front, and convert them if that is asked for."""
    session = _trained(stage, arguments)
    with session.open(tell) as work:
        members = work.export(arguments.one("pick") or "all")
        if arguments.flag("onnx"):
            from nas.export.onnx import convert_to_onnx

            for member in members:
                convert_to_onnx(_subnet(work, member.id))
        report(work.workdir)
    _show(session, members)
    return 0


def finetune(stage: Stage, arguments: Arguments) -> int:
    """Train a member of the front on."""
    chosen = arguments.one("subnet")
    if chosen is None:
        raise UserError(
            "Which subnet? Give --subnet ID with an id of front.json, the first column "
            "of the table that nas run ends with."
        )
    session = _trained(stage, arguments)
    from nas.stages.finetune import finetune as train_on

    with session.open(tell) as work:
        train_on(work, chosen, also_scratch=arguments.flag("also-scratch"))
        report(work.workdir)
    print_places(session.workdir)
    return 0


def truth(stage: Stage, arguments: Arguments) -> int:
    """Train architectures alone into a table."""
    session = _start(stage, arguments)
    with session.open(tell) as work:
        work.make_truth()
    tell(f"The table: {short_path(session.workdir)}/truth.npz")
    return 0


def rank(stage: Stage, arguments: Arguments) -> int:
    """Hold the supernet's ranking against a truth."""
    session = _trained(stage, arguments)
    with session.open(tell) as work:
        found = work.rank()
        report(work.workdir)
    from nas.report.ranking import sentences
    from nas.runtime.processes import is_main

    if is_main():
        print_ranking(found, sentences(found))
        print_places(session.workdir)
    return 0


def profile(stage: Stage, arguments: Arguments) -> int:
    """Say what an experiment would need, without running it."""
    session = _start(stage, arguments)
    if session.tabular:
        return profile_table(session)
    if arguments.flag("latency"):
        return profile_latency(session)
    from nas.run import Run
    from nas.stages.profile import profile as measure

    experiment: Any = session.experiment
    found = measure(Run(experiment, None, tell))
    print_pairs(f"Profile of {session.experiment.name}", found)
    return 0


def _start(stage: Stage, arguments: Arguments) -> Session:
    """Load the experiment, whose file could use a device."""
    begin(arguments)
    session = load_session(arguments, stage.options, stage.resumes, tell)
    if session.tabular and stage.name not in TABULAR_STAGES:
        raise UserError(
            f"{session.experiment.name} searches a table of architectures that were "
            f"trained before, so there is nothing to {stage.name}. Its stages are: "
            f"{', '.join(TABULAR_STAGES)}."
        )
    return session


def _trained(stage: Stage, arguments: Arguments) -> Session:
    """Load an experiment that was trained in a folder already."""
    session = _start(stage, arguments)
    _check_trained(session)
    return session


def _refuse_fork(session: Session, into: str | None) -> None:
    if into is not None:
        raise UserError(
            f"--into {into}: {session.experiment.name} has no trained weights to "
            f"search in another folder. Give --workdir {into}."
        )


def _forked(session: Session, into: str | None) -> Session:
    """Search the same weights in a folder of its own, if that is asked for."""
    if into is None:
        return session
    from nas.stages.fork import fork

    target = Path(into).expanduser()
    fork(session.workdir, target)
    return dataclasses.replace(session, workdir=target)


def _check_trained(session: Session) -> None:
    if not (session.workdir / "config.json").exists():
        raise UserError(
            f"{short_path(session.workdir)} holds no run yet. Train first: nas train "
            f"{session.named} --workdir {short_path(session.workdir)}"
        )


def _finished(work: "Run") -> "Sequence[Member] | None":
    """Give the front if every file of the whole job is there and of these settings.

    The report is written last, and removed first when something is done anew.
    """
    from nas.stages.front import read_front
    from nas.stages.search import latency_of
    from nas.stages.searching import latest_search, settings_of

    folder = work.workdir
    if folder is None or not folder.report.exists() or not folder.front.exists():
        return None
    settings = settings_of(work.experiment.search, latency_of(work))
    if latest_search(folder.checkpoints) != settings:
        return None
    members = read_front(work)
    written = {path.name for path in folder.subnets.glob("*") if path.is_dir()}
    complete = written == {member.id for member in members}
    return members if complete and len(members) <= work.experiment.export.most else None


def _drop_subnets(work: "Run", members: "Sequence[Member]") -> None:
    """Remove exported subnets that are not on the front any more."""
    from nas.runtime.processes import is_main

    if work.workdir is None or not is_main():
        return
    wanted = {member.id for member in members}
    for folder in work.workdir.subnets.glob("*"):
        if folder.is_dir() and folder.name not in wanted:
            shutil.rmtree(folder)


def _subnet(work: "Run", subnet_id: str) -> Path:
    if work.workdir is None:
        raise UserError("Nothing was exported: there is no workdir.")
    return work.workdir.subnet(subnet_id)


def _show(session: Session, members: "Sequence[Member]") -> None:
    from nas.runtime.processes import is_main

    if is_main():
        print_front(members, f"The front of {session.experiment.name}, report split")
        print_places(session.workdir)
