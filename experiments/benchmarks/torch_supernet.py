"""A plain PyTorch single-path supernet of NAS-Bench-201, to measure against.

It is the network of `supernets.nasbench201` (Dong and Yang 2020, arXiv 2001.00326)
written as a PyTorch user would: modules in lists, a Python loop over edges, the chosen
operation alone is run. PyTorch is no dependency of this project; see the README here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

# Not installed where this project is developed, so its types are not known there.
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional  # pyright: ignore[reportMissingImports]

from search_spaces.nasbench201 import EDGES
from supernets import NASBench201Supernet
from supernets.paths import flatten

KERNEL_SIZES = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


class ReluConvBatchNorm(nn.Module):
    """ReLU, convolution, batch norm by the batch's own statistics."""

    def __init__(
        self, inputs: int, outputs: int, kernel_size: int, stride: int = 1
    ) -> None:
        """Build the layers."""
        super().__init__()
        self.convolution = nn.Conv2d(
            inputs, outputs, kernel_size, stride, kernel_size // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(outputs, track_running_stats=False)

    def forward(self, x: Any) -> Any:
        """Map `[B, C_in, H, W]` to `[B, C_out, H', W']`."""
        return self.norm(self.convolution(functional.relu(x)))


class Zero(nn.Module):
    """No connection."""

    def forward(self, x: Any) -> Any:
        """Give zeros like x."""
        return torch.zeros_like(x)


def operation(option: str, channels: int) -> nn.Module:
    """Build one of the five candidates."""
    if option in KERNEL_SIZES:
        return ReluConvBatchNorm(channels, channels, KERNEL_SIZES[option])
    if option == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Identity() if option == "skip_connect" else Zero()


class Cell(nn.Module):
    """Four nodes, six edges, five candidates on each."""

    def __init__(self, channels: int, options: Sequence[Sequence[str]]) -> None:
        """Build all candidates of all edges."""
        super().__init__()
        self.edges = nn.ModuleList(
            nn.ModuleList(operation(option, channels) for option in edge)
            for edge in options
        )

    def forward(self, x: Any, genotype: Sequence[int]) -> Any:
        """Run the chosen candidate of each edge."""
        nodes = [x]
        for target in range(1, 4):
            nodes.append(
                sum(
                    self.edges[e][genotype[e]](nodes[source])
                    for e, (source, to) in enumerate(EDGES)
                    if to == target
                )
            )
        return nodes[-1]


class Reduction(nn.Module):
    """A residual block that halves the image and doubles the channels."""

    def __init__(self, inputs: int) -> None:
        """Build the layers."""
        super().__init__()
        self.first = ReluConvBatchNorm(inputs, 2 * inputs, 3, 2)
        self.second = ReluConvBatchNorm(2 * inputs, 2 * inputs, 3)
        self.shortcut = nn.Conv2d(inputs, 2 * inputs, 1, bias=False)

    def forward(self, x: Any) -> Any:
        """Map `[B, C, H, W]` to `[B, 2 C, H / 2, W / 2]`."""
        short = self.shortcut(functional.avg_pool2d(x, 2))
        return self.second(self.first(x)) + short


class TorchSupernet(nn.Module):
    """The supernet; an architecture is an argument of the forward pass."""

    def __init__(self, like: NASBench201Supernet) -> None:
        """Build the network of a supernet's sizes.

        Args:
          like: the supernet of this project that it equals.
        """
        super().__init__()
        options = [[str(o) for o in d.options] for d in like.space.decisions]
        widths = [like.channels * 2**stage for stage in range(3)]
        self.stem = nn.Conv2d(like.input_shape[2], widths[0], 3, 1, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0], track_running_stats=False)
        self.stages = nn.ModuleList(
            nn.ModuleList(Cell(width, options) for _ in range(like.cells))
            for width in widths
        )
        self.reductions = nn.ModuleList(Reduction(width) for width in widths[:2])
        self.last_norm = nn.BatchNorm2d(widths[-1], track_running_stats=False)
        self.classifier = nn.Linear(widths[-1], like.num_classes)

    def forward(self, x: Any, genotype: Sequence[int]) -> Any:
        """Map `[B, C, H, W]` normalised images to `[B, num_classes]` logits."""
        x = self.stem_norm(self.stem(x))
        for stage, cells in enumerate(self.stages):
            if stage:
                x = self.reductions[stage - 1](x)
            for cell in cells:
                x = cell(x, genotype)
        x = functional.relu(self.last_norm(x))
        return self.classifier(x.mean((2, 3)))

    def load(self, params: Any) -> "TorchSupernet":
        """Take over the weights of this project's supernet.

        Args:
          params: as `NASBench201Supernet.init` makes them.

        Returns:
          This network.
        """
        given = {".".join(path): np.array(v) for path, v in flatten(params).items()}
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                value = _find(given, name)
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
        return self


def _find(given: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Find a parameter by its PyTorch name, and lay it out as PyTorch does."""
    parts = name.split(".")
    kind = parts.pop()
    layer = None
    if parts[0] == "stages":
        # stages.S.L.edges.E.K is layer L of stage_S.edges.E.operations.K
        layer = int(parts[2])
        head = [f"stage_{parts[1]}", "edges", parts[4], "operations", parts[5]]
        parts = head + parts[6:]
    elif parts[0] == "reductions":
        parts = [f"reduction_{int(parts[1]) + 1}", *parts[2:]]
    is_norm = "norm" in parts[-1]
    names = {"weight": "scale" if is_norm else "kernel", "bias": "bias"}
    value = given[".".join([*parts, names[kind]])]
    value = value if layer is None else value[layer]
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.T
