"""What may vary: decisions, genotypes, architectures. Data only, no network."""

from search_spaces.architecture import Architecture as Architecture
from search_spaces.base import Decision as Decision
from search_spaces.base import SearchSpace as SearchSpace
from search_spaces.choice import Choice as Choice
from search_spaces.choice import joint as joint
from search_spaces.choice import prefix as prefix
from search_spaces.discovery import discover as discover
from search_spaces.errors import SpaceError as SpaceError
