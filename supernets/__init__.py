"""Networks whose weights every architecture of a search space shares."""

from supernets.base import Outputs as Outputs
from supernets.base import Supernet as Supernet
from supernets.discovery import discover as discover
from supernets.discovery import discover_tiny as discover_tiny
from supernets.language_model import LanguageModelSupernet as LanguageModelSupernet
from supernets.loading import load_weights as load_weights
from supernets.loading import read_weights as read_weights
from supernets.mobile import MobileSupernet as MobileSupernet
from supernets.nasbench201 import NASBench201Supernet as NASBench201Supernet
from supernets.two_node_cell import TwoNodeCellSupernet as TwoNodeCellSupernet
from supernets.vision_transformer import (
    VisionTransformerSupernet as VisionTransformerSupernet,
)
