"""Every scalar of a run, in `metrics.jsonl` and for TensorBoard, under fixed names.

A line of `metrics.jsonl` is `{"step": 3, "name": "train/loss", "value": 0.5}`. JSON has
no NaN and no infinity: they are the strings "NaN", "Infinity" and "-Infinity", which
`float` of Python and `Number` of JavaScript both read. In the names that TensorBoard
shows, a character other than a letter, a digit or one of `-_./` is an underscore.
"""

import io
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.errors import UserError, nearest
from nas.runtime import processes
from nas.runtime.workdir import StorageError, Workdir, refusal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A part in angle brackets stands for any text.
SCALARS: dict[str, str] = {
    "train/loss": "mean training loss over the subnets of a step, in nats",
    "train/accuracy": "fraction of the training batch classified correctly",
    "train/learning_rate": "learning rate of the step",
    "train/sub_supernets": "S, how many sub-supernets are trained side by side",
    "train/draws": "options of a decision drawn so far, one an architecture trained",
    "train/grad_norm": "global norm of the gradient, before clipping",
    "train/param_norm": "global norm of the weights",
    "train/active_macs": "multiply-accumulates of an example's forward pass, mean over "
    "the architectures trained since the line before",
    "budget/examples": "examples trained on so far, each once an architecture",
    "budget/device_seconds": "seconds of training so far, times devices, without "
    "compiling, watching and checkpoints; depends on the clock",
    "train/epoch": "epochs of training data seen so far",
    "train/examples_per_second": "training throughput; depends on the clock",
    "train/steps_per_second": "training steps a second; depends on the clock",
    "train/<loss>_loss": "one part of the training loss, in nats",
    "eval/nll": "negative log-likelihood of a probe architecture, search split, nats",
    "eval/error": "fraction of the search split that a probe architecture gets wrong",
    "eval/<architecture>/nll": "the same, of one named probe architecture",
    "eval/<architecture>/error": "the same, of one named probe architecture",
    "sampler/<decision>/<option>": "fraction of sampled subnets that took the option",
    "sampler_health/data/distinct": "fraction of the examples that this epoch draws",
    "sampler_health/data/mix": "share of importance in this epoch's probabilities",
    "sampler_health/paths/least_probability": "of any option to be drawn next",
    "sampler_health/paths/entropy": "of a decision's next draw, mean, in nats",
    "sampler_health/<quantity>": "what shows that sampling goes wrong",
    "watch/largest_nll": "NLL of the largest architecture, search split, nats",
    "watch/largest_error": "fraction of the search split that it gets wrong",
    "watch/smallest_nll": "NLL of the smallest architecture, search split, nats",
    "watch/smallest_error": "fraction of the search split that it gets wrong",
    "watch/interference_cosine": "mean cosine of gradients of pairs of architectures",
    "watch/interference_least": "the least of these cosines",
    "watch/interference_negative": "the fraction of them below 0",
    "watch/effect/<decision>": "mean absolute change of NLL by another option, nats",
    "watch/decisions_without_effect": "decisions that changed nothing at all",
    "watch/own/<quantity>": "what a watcher of one's own measures",
    "strategy/<quantity>": "what the training strategy reports about itself",
    "search/evaluations": "distinct architectures evaluated so far",
    "search/charged": "what the asks of the controller cost, in evaluations",
    "search/front_size": "architectures on the Pareto front",
    "search/hypervolume": "hypervolume of the front, fraction of its reference box",
    "search/best_nll": "lowest negative log-likelihood so far, search split, nats",
    "search/best_error": "lowest error so far, fraction of the search split",
    "search/regret": "report error of the best so far, less the least of the table",
    "search/regret_deciding": "the same of the error by which a search decides",
    "search/<objective>/min": "smallest value of an objective in the archive",
    "search/evaluations_per_second": "search throughput; depends on the clock",
    "controller/<quantity>": "what the controller reports about itself",
    "rank/tau": "Kendall's tau-b of weight-shared against stand-alone quality",
    "rank/partial_tau": "the same, given the best baseline that trains nothing",
    "rank/tau_nll": "tau-b of a fixed sample during training, ranked by NLL",
    "rank/tau_error": "the same, ranked by error",
    "rank/tau_nll_spread": "its standard deviation over the latest 8 measurements",
    "rank/tau_error_spread": "the same, ranked by error",
    "rank/<baseline>/tau": "the same, of a formula without training",
    "export/parity": "largest relative difference of an exported file's logits",
    "finetune/<run>/loss": "training loss of a subnet trained on its own, in nats",
    "finetune/<run>/error": "error of a subnet trained on its own, as a fraction",
    "truth/<run>/loss": "training loss of an architecture trained on its own, in nats",
    "truth/<run>/error": "error of an architecture trained on its own, as a fraction",
}
# Not equal between two runs of the same experiment.
CLOCK = frozenset(name for name, text in SCALARS.items() if text.endswith("the clock"))

_PATTERNS = [
    re.compile(re.sub(r"<[^>]*>", ".+", name)) for name in SCALARS if "<" in name
]
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class MetricsWriter:
    """Writes scalars, figures and texts; on processes other than 0 it writes nothing.

    To resume, give the offset that was stored in the checkpoint: what was logged after
    it is cut off, and the file goes on as if the run had never stopped.
    """

    def __init__(
        self,
        workdir: Workdir,
        offset: int | None = None,
        next_step: int | None = None,
        run: str = "",
    ) -> None:
        """Open the files of a run.

        Args:
          workdir: where they are.
          offset: cut `metrics.jsonl` to so many bytes first; None appends.
          next_step: TensorBoard hides what an earlier process logged from this step
            on; None hides nothing.
          run: the name under which TensorBoard shows these curves. Stages that count
            their steps anew need a run of their own, or hiding steps of one would
            hide those of the other.

        Raises:
          UserError: the file is shorter than the offset, or was edited.
          StorageError: the disk refuses.
        """
        self._path = workdir.metrics
        self._writes = processes.is_main()
        self._known: set[str] = set(SCALARS)
        if not self._writes:
            return
        self._file = self._open(offset)
        from tensorboardX import SummaryWriter

        self._board = SummaryWriter(
            logdir=str(workdir.path / run), purge_step=next_step, write_to_disk=True
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log some numbers of one step.

        Args:
          step: the step they belong to.
          values: by name; Python floats or scalar arrays.

        Raises:
          UserError: a name is not in `SCALARS`.
          StorageError: the disk refuses.
        """
        self._check(values)
        if not self._writes:
            return
        numbers = {name: float(value) for name, value in values.items()}
        lines = [_line(step, name, value) for name, value in numbers.items()]
        self._write("".join(lines))
        for name, value in numbers.items():
            self._board.add_scalar(name, value, step)

    def figure(self, name: str, figure: "Figure", step: int) -> None:
        """Show a matplotlib figure in TensorBoard; the caller closes it."""
        if not self._writes:
            return
        from PIL import Image

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        image = np.asarray(Image.open(buffer).convert("RGB"))  # uint8 [H, W, 3]
        self._board.add_image(name, image, step, dataformats="HWC")

    def text(self, name: str, markdown: str, step: int) -> None:
        """Show a text in TensorBoard."""
        if self._writes:
            self._board.add_text(name, markdown, step)

    def offset(self) -> int:
        """Return the size of `metrics.jsonl` in bytes, all of it safely on disk.

        Store it in the checkpoint. 0 on processes that do not write.
        """
        if not self._writes:
            return 0
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Write what is still in memory, and close the files."""
        if self._writes and not self._file.closed:
            self._file.close()
            self._board.close()

    def __enter__(self) -> "MetricsWriter":
        """Return the writer."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the files."""
        self.close()

    def _check(self, names: Mapping[str, float]) -> None:
        for name in names.keys() - self._known:
            if not any(pattern.fullmatch(name) for pattern in _PATTERNS):
                raise UserError(
                    f"{name!r} is no documented name of a scalar, so that runs could "
                    f"not be compared by it. {nearest(name, SCALARS)}"
                )
            self._known.add(name)

    def _open(self, offset: int | None) -> io.FileIO:
        try:
            # Unbuffered: a line that was logged survives the process.
            file = open(self._path, "ab", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise StorageError(refusal(error, str(self._path))) from error
        if offset is not None:
            try:
                _cut(file, self._path, offset)
            except BaseException:
                file.close()
                raise
        return file

    def _write(self, text: str) -> None:
        data = text.encode()
        start = self._file.tell()
        try:
            if self._file.write(data) != len(data):
                raise OSError(28, os.strerror(28))
        except OSError as error:
            # Half a line would make the whole file unreadable.
            self._file.truncate(start)
            raise StorageError(refusal(error, str(self._path))) from error


def read_scalars(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Read a `metrics.jsonl`.

    Args:
      path: the file.

    Returns:
      `{"step": int, "name": str, "value": float}` of each line, in order.

    Raises:
      UserError: a line is something else.
    """
    rows = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        try:
            row = json.loads(line)
            value = row["value"]
            row["value"] = _NOT_FINITE[value] if value in _NOT_FINITE else float(value)
            rows.append({"step": int(row["step"]), "name": str(row["name"])} | row)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path}, line {number} is no scalar: {line[:80]!r} ({error}). "
                'Expected {"step": .., "name": .., "value": ..}.'
            ) from None
    return rows


def _line(step: int, name: str, value: float) -> str:
    if math.isfinite(value):
        written: float | str = value
    else:
        written = "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"
    return json.dumps({"step": int(step), "name": name, "value": written}) + "\n"


def _cut(file: io.FileIO, path: Path, offset: int) -> None:
    """Shorten the file to the end of the last line that the checkpoint knows."""
    size = file.seek(0, os.SEEK_END)
    end = b""
    if 0 < offset <= size:
        with open(path, "rb") as reader:
            reader.seek(offset - 1)
            end = reader.read(1)
    if not 0 <= offset <= size or (offset and end != b"\n"):
        raise UserError(
            f"{path} is not the file that the checkpoint goes with: the checkpoint "
            f"was saved when its first {offset} bytes were whole lines, and now it "
            f"has {size} bytes. Put the file back, or start in another --workdir."
        )
    file.truncate(offset)
    file.seek(offset)
