"""NAS-Bench-201's published table as a truth: accuracies over seeds, and latencies.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020, arXiv 2001.00326; latencies of Lee et al., "Hardware-adaptive
Efficient Latency Prediction for NAS via Meta-Learning" (HELP), NeurIPS 2021, arXiv
2106.08630. Nothing is downloaded: the numbers are read from `nb201_accuracy.npz` and,
where it is there, `nb201_latency_help.npz`, whose rows are in the benchmark's order.
"""

import dataclasses
import zipfile
from pathlib import Path

import numpy as np

from nas.data.root import data_folders, not_found
from nas.errors import UserError
from nas.ranking import TruthSource, TruthTable
from search_spaces.nasbench201 import cells, nasbench201

NAME = "nasbench201"
ACCURACIES = "nb201_accuracy.npz"
LATENCIES = "nb201_latency_help.npz"
SEEDS = "c10_test_200ep_seeds"


@dataclasses.dataclass(frozen=True)
class NASBench201Table(TruthSource):
    """CIFAR-10 test errors after 200 epochs, 1 to 3 seeds each."""

    root: str = ""
    """Folder with the files, or with a folder `nasbench201` that has them; empty:
    NAS_DATA."""

    def load(self) -> TruthTable:
        """Read the table; see `TruthSource.load`.

        Returns:
          All 15,625 cells. `nll` is not published, and NaN; `columns` has
          `latency_ms_<device>` for each device, in milliseconds but for the FPGA and
          Eyeriss, whose unit is the authors'.
        """
        folders = data_folders(self.root, NAME, (NAME,))
        paths = [folder / ACCURACIES for folder in folders]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise not_found(NAME, folders, ACCURACIES)
        found = _read(path)
        if SEEDS not in found or "ops" not in found:
            raise UserError(f"{path}: it lacks {SEEDS} or ops; found {sorted(found)}.")
        genotypes = found["ops"].astype(np.int32)
        if not np.array_equal(genotypes, cells()):
            raise UserError(
                f"{path}: its rows are not in the order of the benchmark's indices, or "
                "some are missing or there twice. Put the published file back."
            )
        accuracy = found[SEEDS].astype(np.float64)
        columns = {}
        if (path.parent / LATENCIES).is_file():
            columns = {
                f"latency_ms_{name.removeprefix('lat_')}": values.astype(np.float64)
                for name, values in _read(path.parent / LATENCIES).items()
            }
        return TruthTable(
            nasbench201(),
            genotypes,
            np.arange(accuracy.shape[1], dtype=np.int32),
            1 - accuracy / 100,
            np.full(accuracy.shape, np.nan),
            {
                "name": "NAS-Bench-201, CIFAR-10, 200 epochs",
                "source": "arXiv 2001.00326",
                "settings": {"measured_on": "the CIFAR-10 test set"},
                "note": "Errors are of the test images after 200 epochs; the only "
                "validation errors among these files are of 12 epochs, and are not "
                "used.",
            },
            columns,
        )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read: {error}.") from error
