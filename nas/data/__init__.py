"""Labelled examples: sources, the three splits, and the pipeline on the device."""

from nas.data.base import Dataset as Dataset
from nas.data.base import DataSource as DataSource
from nas.data.base import Split as Split
from nas.data.base import Splits as Splits
from nas.data.cifar10 import Cifar10 as Cifar10
from nas.data.cifar100 import Cifar100 as Cifar100
from nas.data.detect import discover_sources as discover_sources
from nas.data.detect import source_from_path as source_from_path
from nas.data.digits import Digits as Digits
from nas.data.folder import ImageFolder as ImageFolder
from nas.data.kinds import ImagePreprocessing as ImagePreprocessing
from nas.data.kinds import Images as Images
from nas.data.kinds import Kind as Kind
from nas.data.kinds import Preprocessing as Preprocessing
from nas.data.kinds import TokenPreprocessing as TokenPreprocessing
from nas.data.kinds import Tokens as Tokens
from nas.data.kinds import read_preprocessing as read_preprocessing
from nas.data.mnist import Mnist as Mnist
from nas.data.npz import NpzFile as NpzFile
from nas.data.pipeline import Augment as Augment
from nas.data.pipeline import BatchOrder as BatchOrder
from nas.data.pipeline import OrderState as OrderState
from nas.data.pipeline import evaluation_batches as evaluation_batches
from nas.data.reduced import Reduced as Reduced
from nas.data.split import split_dataset as split_dataset
from nas.data.text import TextFile as TextFile
