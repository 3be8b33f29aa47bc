"""Search: controllers, the archive of what was evaluated, the loop between them."""

from nas.search.archive import Archive as Archive
from nas.search.base import Controller as Controller
from nas.search.base import Problem as Problem
from nas.search.base import Relaxed as Relaxed
from nas.search.constraints import Constraint as Constraint
from nas.search.constraints import check_satisfiable as check_satisfiable
from nas.search.constraints import parse as parse
from nas.search.darts import DARTS as DARTS
from nas.search.discovery import discover as discover
from nas.search.drnas import DrNAS as DrNAS
from nas.search.evolution import RegularizedEvolution as RegularizedEvolution
from nas.search.gdas import GDAS as GDAS
from nas.search.guided import Guided as Guided
from nas.search.local import LocalSearch as LocalSearch
from nas.search.loop import Search as Search
from nas.search.loop import SearchLoop as SearchLoop
from nas.search.nsga2 import NSGA2 as NSGA2
from nas.search.pareto import crowding_distance as crowding_distance
from nas.search.pareto import front_indices as front_indices
from nas.search.pareto import hypervolume as hypervolume
from nas.search.pareto import non_dominated_sort as non_dominated_sort
from nas.search.ppo import PPO as PPO
from nas.search.random import RandomSearch as RandomSearch
from nas.search.reinforce import Reinforce as Reinforce
