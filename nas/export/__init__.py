"""Subnets leave as ordinary networks: programs, weights, a card, and a proof."""

from nas.export.errors import ExportError as ExportError
from nas.export.load import LoadedSubnet as LoadedSubnet
from nas.export.load import load_subnet as load_subnet
from nas.export.subnet import ExportedSubnet as ExportedSubnet
from nas.export.subnet import export_subnet as export_subnet
