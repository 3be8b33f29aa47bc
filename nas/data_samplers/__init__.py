"""Which examples of the weights split a training step sees."""

from nas.data_samplers.base import DataDraw as DataDraw
from nas.data_samplers.base import DataSampler as DataSampler
from nas.data_samplers.base import Order as Order
from nas.data_samplers.importance import ImportanceData as ImportanceData
from nas.data_samplers.uniform import Uniform as Uniform
