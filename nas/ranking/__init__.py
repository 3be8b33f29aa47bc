"""Rankings: truth tables, and how well estimates agree with them."""

from nas.ranking.sources import PackagedTruth as PackagedTruth
from nas.ranking.sources import TruthFile as TruthFile
from nas.ranking.sources import TruthSource as TruthSource
from nas.ranking.table import TruthTable as TruthTable
