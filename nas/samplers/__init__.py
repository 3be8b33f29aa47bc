"""Which architectures a training step trains."""

from nas.samplers.base import Draw as Draw
from nas.samplers.base import Feedback as Feedback
from nas.samplers.base import Sampler as Sampler
from nas.samplers.fair import Fair as Fair
from nas.samplers.importance import ImportancePaths as ImportancePaths
from nas.samplers.progressive import Progressive as Progressive
from nas.samplers.progressive import Stage as Stage
from nas.samplers.ramp import Ramp as Ramp
from nas.samplers.sandwich import Sandwich as Sandwich
from nas.samplers.uniform import Uniform as Uniform
