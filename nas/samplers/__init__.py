"""Which architectures a training step trains."""

from nas.samplers.base import Draw as Draw
from nas.samplers.base import Feedback as Feedback
from nas.samplers.base import Sampler as Sampler
from nas.samplers.uniform import Uniform as Uniform
