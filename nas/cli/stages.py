"""The stages of the command line: one entry each, and the options they share."""

import dataclasses

from nas.cli.arguments import Option


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
      name: as typed.
      text: what it does, in a line.
      function: `module:function`, imported when the stage is called.
      options: its own options.
      takes: what it takes without dashes, for the usage line; empty for nothing.
      details: the rest of its help text.
      examples: commands to try.
      resumes: whether settings of earlier commands in the folder hold.
      most: how many names without dashes there may be.
      settings: whether the settings of an experiment are options as well.
    """

    name: str
    text: str
    function: str
    options: tuple[Option, ...] = ()
    takes: str = ""
    details: str = ""
    examples: tuple[str, ...] = ()
    resumes: bool = False
    most: int = 1
    settings: bool = True


WORKDIR = Option(
    "workdir", "DIR", "Where the run writes and goes on; runs/<experiment> unless given"
)
DATA = Option(
    "data",
    "PATH_OR_NAME",
    "Other data: a folder of images by class, an .npz or .txt file, or a name such as "
    "digits",
)
WHERE = Option(
    "where",
    "'macs<=2e6'",
    "Only architectures for which this holds; may be repeated; none drops earlier ones",
)
CONTROLLER = Option(
    "controller",
    "NAME",
    "Who searches, with its defaults; each is listed below",
)
INIT = Option(
    "init",
    "FILE",
    "Start from weights.safetensors of a trained largest subnet",
)
INTO = Option(
    "into",
    "DIR",
    "Search the same weights in a folder of its own, with an empty archive, so that "
    "nas compare can compare controllers",
)
TRUTH = Option("truth", "FILE.npz", "Another truth, as made by nas truth")
LATENCY = Option(
    "latency",
    "FILE",
    "What networks take on a device: latency.json, or a CSV of your own",
)
PROCESSES = (
    Option("coordinator", "HOST:PORT", "Several processes: where process 0 listens"),
    Option("num-processes", "N", "Several processes: how many there are"),
    Option("process-id", "I", "Several processes: which one this is, from 0"),
)
_EXPERIMENT = "[EXPERIMENT | WORKDIR]"
_SETTINGS = (
    "Every setting of the experiment is an option as well: --training.steps 3000. "
    "The list is in: nas {stage} EXPERIMENT --help"
)

STAGES = (
    Stage(
        "run",
        "Train, search, measure the front again, export it. The whole job",
        "nas.cli.work:run",
        (WORKDIR, DATA, WHERE, CONTROLLER, LATENCY, INIT, *PROCESSES),
        _EXPERIMENT,
        "Stopped at any point, the same command goes on where it was and ends with the "
        f"same result; when all is done it says so. {_SETTINGS}",
        (
            "nas run digits_cells",
            "nas run vit_tiny --data ./photos",
            "nas run digits_cells --where 'macs<=3e5' --workdir runs/small",
        ),
    ),
    Stage(
        "train",
        "Train the supernet only",
        "nas.cli.work:train",
        (WORKDIR, DATA, WHERE, CONTROLLER, INIT, *PROCESSES),
        _EXPERIMENT,
        f"A run that was stopped goes on. {_SETTINGS}",
        ("nas train digits_cells --training.steps 4000 --workdir runs/longer",),
    ),
    Stage(
        "search",
        "Search a trained supernet, or a table; again and again if you like",
        "nas.cli.work:search",
        (WORKDIR, WHERE, CONTROLLER, INTO, TRUTH, LATENCY, *PROCESSES),
        _EXPERIMENT,
        "Another controller, budget or constraint is a new search that knows what the "
        "ones before it evaluated; front.json is of the latest. Settings of the "
        "earlier commands hold until given anew. Experiments whose names end in "
        "_tabular search a table of architectures that were trained before, where the "
        f"best is known: nothing has to be trained first. {_SETTINGS}",
        (
            "nas search digits_625_tabular --controller evolution",
            "nas search runs/digits_cells --controller random",
            "nas search runs/digits_cells --controller random --into runs/by_chance",
            "nas search digits_cells --where 'macs<=3e5' --search.evaluations 500",
            "nas search runs/digits_cells --where 'latency_ms<=2'",
        ),
        resumes=True,
    ),
    Stage(
        "export",
        "Write members of the front as networks of their own",
        "nas.cli.work:export",
        (
            WORKDIR,
            Option(
                "pick", "WHICH", "all, knee, best, or an id of the front; all if absent"
            ),
            Option("onnx", "", "Convert to ONNX too, in an environment of its own"),
            *PROCESSES,
        ),
        _EXPERIMENT,
        "Each folder under subnets/ has the weights, programs that take raw inputs, "
        "predict.py that needs none of this, and the proof that all compute what the "
        "supernet does.",
        ("nas export runs/digits_cells --pick knee",),
        resumes=True,
    ),
    Stage(
        "finetune",
        "Train a member of the front on, and beside it from scratch",
        "nas.cli.work:finetune",
        (
            WORKDIR,
            Option("subnet", "ID", "Which member: an id of the front"),
            Option("also-scratch", "", "Train it from scratch as well, to compare"),
            *PROCESSES,
        ),
        _EXPERIMENT,
        f"The result is in the subnet's card.json and in report.html. {_SETTINGS}",
        ("nas finetune runs/digits_cells --subnet ID --also-scratch",),
        resumes=True,
    ),
    Stage(
        "rank",
        "Hold the trained supernet's ranking against a truth, and against formulas",
        "nas.cli.work:rank",
        (WORKDIR, TRUTH, *PROCESSES),
        _EXPERIMENT,
        "Every architecture of the truth is measured by shared weights. rank.json has "
        "Kendall's tau-b with its interval, the truth's own ceiling, baselines that "
        "train nothing, and what the weights add to the best of them; report.html has "
        f"the picture. {_SETTINGS}",
        (
            "nas rank digits_cells",
            "nas rank runs/mine --truth runs/my_truth/truth.npz",
        ),
        resumes=True,
    ),
    Stage(
        "truth",
        "Train architectures alone, over seeds, for rankings to be held against",
        "nas.cli.work:truth",
        (WORKDIR, DATA, *PROCESSES),
        _EXPERIMENT,
        "All of a small space, or a sample spread over all costs "
        "(--truth.architectures N), in one compiled program; several devices train "
        f"several at a time. Stopped, it goes on; more --truth.seeds are added. "
        f"{_SETTINGS}",
        ("nas truth digits_625", "nas truth digits_64 --truth.seeds 10"),
    ),
    Stage(
        "sweep",
        "Run an experiment over seeds and variants, each in a folder of its own",
        "nas.cli.sweeping:sweep",
        (
            Option(
                "seeds", "N", "How many seeds, from 0; or which: 0,3,7; 5 unless given"
            ),
            Option(
                "vary",
                "NAME=V1,V2",
                "variant=.. chooses among the file's variants; any other name is a "
                "setting, such as training.steps=500,1000; repeated, all combinations",
            ),
            Option(
                "stages",
                "S1,S2",
                "Of each run: train, search, rank; if absent train,rank, and of a "
                "table search",
            ),
            Option(
                "workdir",
                "DIR",
                "Where the runs are; runs/<experiment>_sweep if absent",
            ),
            Option(
                "keep-checkpoints", "", "Keep the weights of runs that are done, too"
            ),
            DATA,
            WHERE,
            CONTROLLER,
            *PROCESSES,
        ),
        "EXPERIMENT",
        "Beside its experiment a file may define `variants`, a dictionary of "
        "experiments by name; without --vary all of them are run. Each run is an "
        "ordinary one in DIR/<variant>/seed_<n>; one seed of all variants is done "
        "before the next. Stopped, the same command goes on; another one with the same "
        "DIR adds to it. Weights are deleted once a run is done, unless kept. "
        f"What fails is told at the end, with exit status 2. {_SETTINGS}",
        (
            "nas sweep digits_cells --seeds 3 --vary training.steps=500,1000",
            "nas sweep study.py --vary variant=uniform,fair --training.steps 2000",
            "nas sweep digits_625_tabular --vary controller=random,evolution,nsga2",
        ),
    ),
    Stage(
        "compare",
        "Compare runs: a table paired by seed, with intervals, and curves",
        "nas.cli.sweeping:compare",
        (
            Option(
                "baseline", "NAME", "The control; uniform, or the first, unless given"
            ),
            Option(
                "quantity",
                "NAME",
                "Only this number, such as tau or loss; may be repeated; all if absent",
            ),
            Option(
                "budget",
                "NAME",
                "What curves run along: steps, examples, active_macs, device_seconds; "
                "examples if absent",
            ),
            Option(
                "out",
                "DIR",
                "Where compare.json, compare.html and figures go; DIR itself, or the "
                "folder above all of them, if absent",
            ),
        ),
        "DIR ..",
        "DIR is the folder of a sweep, or of a run. Only finished runs count, and a "
        "difference is over the seeds that both have. Intervals are Student's t over "
        "seeds, 95 %; a single seed has none. Rankings against different truths are "
        "refused. Off a terminal the lines are tab separated, headings first.",
        (
            "nas compare runs/study_sweep --baseline uniform",
            "nas compare runs/plain runs/other --quantity loss --out .",
        ),
        most=1000,
        settings=False,
    ),
    Stage(
        "profile",
        "Say how large, how long and how much memory, before anything runs",
        "nas.cli.work:profile",
        (
            WORKDIR,
            DATA,
            WHERE,
            CONTROLLER,
            Option(
                "latency",
                "",
                "Measure instead what networks take on this device, for --where "
                "'latency_ms<=2'",
            ),
            *PROCESSES,
        ),
        _EXPERIMENT,
        "Nothing is written, but with --latency: a sample of networks is compiled and "
        "timed (--latency.samples for a model, --latency.held_out to tell its error), "
        "and latency.json in the workdir lets searches there ask for latency_ms. "
        f"Stopped, it goes on. {_SETTINGS}",
        (
            "nas profile cifar10_cells --data.root ./data --where 'macs<=2e7'",
            "nas profile runs/digits_cells --latency --latency.batch_size 8",
        ),
    ),
    Stage(
        "spaces",
        "List the search spaces",
        "nas.cli.lists:spaces",
        details="Off a terminal each line has a name, a tab and a text.",
    ),
    Stage(
        "experiments",
        "List the experiments that come with this package",
        "nas.cli.lists:experiments",
        details="Off a terminal each line has a name, a tab and a text.",
    ),
    Stage(
        "doctor",
        "Say what this machine has, and what is wrong with it",
        "nas.cli.lists:doctor",
        details="Off a terminal each line has a name, a tab and a text. The exit "
        "status is 1 if something is wrong.",
    ),
)


def stage_by_name() -> dict[str, Stage]:
    """Index the stages by name."""
    return {stage.name: stage for stage in STAGES}
