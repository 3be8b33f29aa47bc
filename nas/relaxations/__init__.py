"""How alphas stand for architectures in gradient methods."""

from nas.relaxations.base import Relaxation as Relaxation
from nas.relaxations.dirichlet import Dirichlet as Dirichlet
from nas.relaxations.gumbel_softmax import GumbelSoftmax as GumbelSoftmax
from nas.relaxations.optimizer import AlphaOptimizer as AlphaOptimizer
from nas.relaxations.softmax import Softmax as Softmax
from nas.relaxations.telling import derive_all as derive_all
from nas.relaxations.telling import derived_text as derived_text
from nas.relaxations.telling import describe as describe
