"""What shared weights say about architectures."""

from nas.evaluation.evaluate import Evaluation as Evaluation
from nas.evaluation.evaluate import Evaluator as Evaluator
from nas.evaluation.interval import error_interval as error_interval
from nas.evaluation.interval import wilson as wilson
