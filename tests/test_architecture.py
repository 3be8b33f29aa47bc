"""The shape of the code base, read from its syntax trees without importing anything.

Each rule is a function from a source tree to a list of offences. The repository must
have none, and a small tree made wrong on purpose must have the expected ones, so that
no rule is true of everything.

A module is *concrete*, one thing among others of its kind, when it defines `PRESETS`,
an NNX module, or a class that completes an abstract class from another module of the
same package. Everything else is support.
"""

import ast
import graphlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARROWS = {
    "search_spaces": set(),
    "predictors": set(),
    "supernets": {"search_spaces"},
    "nas": {"predictors", "search_spaces", "supernets"},
    "experiments": {"nas", "predictors", "search_spaces", "supernets"},
}
MAX_LINES = 500
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}

# Where the engine may call a supernet, and where it may differentiate: one train step,
# one evaluate, and what is neither (each with its reason).
TRAIN_STEP = "nas.training.step"
EVALUATE = "nas.evaluation.evaluate"
MAY_APPLY = {
    TRAIN_STEP,
    EVALUATE,
    "nas.stages.export",  # gives the logits that an exported file is held against
    "nas.training.alone",  # one architecture from fresh weights, which shares nothing
    "nas.training.relaxed",  # what gradient methods follow while no weight moves
    "nas.ranking.baselines",  # scores weights that were never trained
}
MAY_DIFFERENTIATE = {
    TRAIN_STEP,
    "nas.training.standalone",  # trains one ordinary network; there is no supernet
    "nas.training.alone",  # the same, by the supernet's program: see its test
    "nas.stages.initial",  # transposes extraction, which is linear; trains nothing
    "nas.partition.gradient_matching",  # compares gradients, and updates nothing
    "nas.watch.interference",  # the same
    "nas.search.gradient",  # of alphas, while no weight moves
    "nas.search.policy_gradient",  # a policy over genotypes, which holds no network
}
# A strategy is the part of the one step that gives it gradients.
MAY_DIFFERENTIATE_UNDER = "nas.strategies."
# Flax is the module library of supernets; elsewhere, with the reason.
MAY_USE_FLAX = {"predictors.mlp_ensemble"}  # an ordinary network that is fitted
GRADIENTS = {"grad", "hessian", "jacfwd", "jacrev", "jvp", "linearize"}
GRADIENTS |= {"value_and_grad", "vjp"}


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, and what its syntax tree says."""

    name: str
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text, str(self.path))))

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    @property
    def folder(self) -> str:
        is_package = self.path.name == "__init__.py"
        return self.name if is_package else self.name.rpartition(".")[0]

    @cached_property
    def imports(self) -> list[tuple[str, str | None]]:
        """Each imported (module, name), the name None for a plain `import module`."""
        return self._imports_among(self.nodes)

    @cached_property
    def running_imports(self) -> list[tuple[str, str | None]]:
        """The same, without what only type checkers import."""
        unread = {
            id(node)
            for branch in self.nodes
            if isinstance(branch, ast.If) and _last_name(branch.test) == "TYPE_CHECKING"
            for statement in branch.body
            for node in ast.walk(statement)
        }
        return self._imports_among([n for n in self.nodes if id(n) not in unread])

    def _imports_among(self, nodes: list[ast.AST]) -> list[tuple[str, str | None]]:
        found: list[tuple[str, str | None]] = []
        for node in nodes:
            if isinstance(node, ast.Import):
                found += [(alias.name, None) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found += [(self._source(node), alias.name) for alias in node.names]
        return found

    def _source(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.folder.split(".")
        parents = parts[: len(parts) - node.level + 1]
        return ".".join([*parents, node.module] if node.module else parents)

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self.nodes if isinstance(node, ast.ClassDef)]

    @cached_property
    def assigned(self) -> set[str]:
        """Names that an assignment anywhere in the module gives a value."""
        stores = (n for n in self.nodes if isinstance(n, ast.Name))
        return {n.id for n in stores if isinstance(n.ctx, ast.Store)}


class Tree:
    """The five packages under a root."""

    def __init__(self, root: Path):
        self.root = root
        self.modules = {m.name: m for m in _modules(root)}

    def targets(self, module: Module, running: bool = False) -> Iterator[str]:
        """Modules of this tree that a module imports, all or when it runs."""
        for source, name in module.running_imports if running else module.imports:
            inner = f"{source}.{name}"
            if inner in self.modules:
                yield inner
            elif source in self.modules:
                yield source

    @cached_property
    def concrete(self) -> set[str]:
        """Names of the concrete modules."""
        return {m.name for m in self.modules.values() if self._is_concrete(m)}

    @cached_property
    def _abstract(self) -> set[tuple[str, str]]:
        """(package, name) of every abstract class."""
        classes = ((m.package, c) for m in self.modules.values() for c in m.classes)
        return {(package, c.name) for package, c in classes if _is_abstract(c)}

    def _is_concrete(self, module: Module) -> bool:
        complete = [c for c in module.classes if not _is_abstract(c)]
        own = {c.name for c in module.classes}
        parents = {_last_name(b) for c in complete for b in c.bases} - own
        kinds = {name for package, name in self._abstract if package == module.package}
        return "PRESETS" in module.assigned or bool(parents & (kinds | {"Module"}))


def _modules(root: Path) -> Iterator[Module]:
    for package in ARROWS:
        for path in sorted((root / package).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            yield Module(".".join(parts).removesuffix(".__init__"), path)


def _last_name(node: ast.expr) -> str:
    """`c` of the expression `a.b.c`, `c` or `c[T]`; "" of any other."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_abstract(node: ast.ClassDef) -> bool:
    decorators = [
        _last_name(decorator)
        for item in node.body
        if isinstance(item, ast.FunctionDef)
        for decorator in item.decorator_list
    ]
    return "abstractmethod" in decorators or "ABC" in map(_last_name, node.bases)


def wrong_arrows(tree: Tree) -> list[str]:
    """Imports between packages against the arrows; nothing installed imports tests."""
    offences = []
    for module in tree.modules.values():
        forbidden = {*ARROWS, "tests"} - ARROWS[module.package] - {module.package}
        for source, _ in module.imports:
            if source.partition(".")[0] in forbidden:
                offences.append(f"{module.name} imports {source}")
    return offences


def wrong_siblings(tree: Tree) -> list[str]:
    """Concrete modules of one folder that import one another."""
    return [
        f"{name} imports {target}"
        for name in sorted(tree.concrete)
        for target in tree.targets(tree.modules[name])
        if target in tree.concrete
        and tree.modules[target].folder == tree.modules[name].folder
        and target != name
    ]


def wrong_cycles(tree: Tree) -> list[str]:
    """A cycle of imports, if there is one; a module may import its own packages.

    A name that an annotation alone needs makes no cycle.
    """
    graph = {
        m.name: {
            target
            for target in tree.targets(m, running=True)
            if not f"{m.name}.".startswith(f"{target}.")
        }
        for m in tree.modules.values()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def wrong_names_in_the_engine(tree: Tree) -> list[str]:
    """Places where `nas` imports, or spells, a part that only experiments may name."""
    parts = {n for n in tree.concrete if not n.startswith(("nas.", "experiments."))}
    classes = {c.name for name in parts for c in tree.modules[name].classes}
    families = {n.rpartition(".")[2] for n in parts if n.count(".") == 1}
    offences = []
    for module in tree.modules.values():
        if module.package != "nas":
            continue
        imported = {f"{s}.{n}" if n else s for s, n in module.imports}
        imported |= set(tree.targets(module))
        offences += [f"{module.name} imports {i}" for i in sorted(imported & parts)]
        names = {n for s, n in module.imports if s.partition(".")[0] in ARROWS if n}
        offences += [f"{module.name} imports {n}" for n in sorted(names & classes)]
        words = set(re.findall(r"\w+", " ".join(_code_words(module))))
        offences += [f"{module.name} says {w}" for w in sorted(words & families)]
    return offences


def _code_words(module: Module) -> Iterator[str]:
    """Every identifier, and every string that is not a docstring."""
    docstrings = {id(node.value) for node in module.nodes if isinstance(node, ast.Expr)}
    for node in module.nodes:
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield str(node.value)


def wrong_sizes(tree: Tree) -> list[str]:
    """Files that are too long, or named for nothing in particular; tests included."""
    tests = sorted((tree.root / "tests").rglob("*.py"))
    offences = []
    for path in [m.path for m in tree.modules.values()] + tests:
        where = path.relative_to(tree.root)
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_LINES:
            offences.append(f"{where} has {lines} lines, {MAX_LINES} are allowed")
        if path.stem in VAGUE_NAMES:
            offences.append(f"{where} has a name that says nothing")
    return offences


def wrong_readers(tree: Tree) -> list[str]:
    """Ways in which the contents of a file could run as code."""
    offences = []
    for module in tree.modules.values():
        for source, _ in module.imports:
            if source.partition(".")[0] in UNPICKLERS:
                offences.append(f"{module.name} imports {source}")
        for call in (n for n in module.nodes if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id in ("eval", "exec"):
                offences.append(f"{module.name}:{call.lineno} {call.func.id}")
            for keyword in call.keywords:
                if (
                    keyword.arg == "allow_pickle"
                    and ast.unparse(keyword.value) != "False"
                ):
                    offences.append(f"{module.name}:{call.lineno} allow_pickle")
    return offences


def wrong_framework(tree: Tree) -> list[str]:
    """Modules below or above the supernets that build on Flax."""
    return [
        f"{module.name} imports {source}"
        for module in tree.modules.values()
        if module.package in ("search_spaces", "predictors", "nas")
        for source, _ in module.imports
        if source.partition(".")[0] == "flax" and module.name not in MAY_USE_FLAX
    ]


def wrong_steps(tree: Tree) -> list[str]:
    """Second train steps and second evaluates.

    Inside `nas`, the attribute `apply` of something called `supernet` and JAX's
    gradient transformations occur in the listed modules only; the two functions that
    make the one step and the one evaluation exist once each.
    """
    engine = [m for m in tree.modules.values() if m.package == "nas"]
    offences = []
    for module in engine:
        for node in module.nodes:
            applies = _is_attribute(node, {"apply"}, owner="supernet")
            if applies and module.name not in MAY_APPLY:
                offences.append(f"{module.name}:{node.lineno} applies a supernet")
            differentiates = _is_attribute(node, GRADIENTS, owner="jax")
            if differentiates and not _may_differentiate(module):
                offences.append(f"{module.name}:{node.lineno} takes a gradient")
        for source, name in module.imports:
            if source == "jax" and name in GRADIENTS:
                offences.append(f"{module.name} imports jax.{name} by name")
    for name, home in (("make_train_step", TRAIN_STEP), ("make_evaluate", EVALUATE)):
        homes = [m.name for m in engine if _defines(m, name)]
        if homes != [home]:
            offences.append(f"{name} is defined in {homes}, not once in {home}")
    return offences


def _may_differentiate(module: Module) -> bool:
    under = module.name.startswith(MAY_DIFFERENTIATE_UNDER)
    return under or module.name in MAY_DIFFERENTIATE


def _is_attribute(node: ast.AST, names: set[str], owner: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in names
        and _last_name(node.value).endswith(owner)
    )


def _defines(module: Module, name: str) -> bool:
    return any(isinstance(n, ast.FunctionDef) and n.name == name for n in module.nodes)


RULES: list[Callable[[Tree], list[str]]] = [
    wrong_arrows,
    wrong_siblings,
    wrong_cycles,
    wrong_names_in_the_engine,
    wrong_sizes,
    wrong_readers,
    wrong_framework,
    wrong_steps,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_repository_keeps_the_rule(rule):
    assert rule(Tree(ROOT)) == []


def test_reading_found_the_packages():
    tree = Tree(ROOT)
    assert {m.package for m in tree.modules.values()} == set(ARROWS)
    assert "search_spaces.nasbench201" in tree.concrete
    assert "search_spaces.base" not in tree.concrete


BASE = "import abc\nclass Layer(abc.ABC):\n  x: int\n"
STEPS = {
    "nas/training/step.py": "def make_train_step(): jax.grad(supernet.apply)\n",
    "nas/evaluation/evaluate.py": "def make_evaluate(supernet): supernet.apply()\n",
}
BROKEN = [
    (wrong_arrows, {"supernets/a.py": "def f():\n  from nas.b import c\n"}, 1),
    (wrong_arrows, {"nas/a.py": "import experiments.b, supernets\n"}, 1),
    (wrong_arrows, {"predictors/a.py": "from search_spaces import b\n"}, 1),
    (wrong_arrows, {"experiments/a.py": "import nas, tests.b\n"}, 1),
    (
        wrong_siblings,
        {
            "supernets/base.py": BASE,
            "supernets/a.py": "from supernets.base import Layer\nclass A(Layer): x = 1",
            "supernets/b.py": "from .a import A\nfrom . import base\n"
            "class B(base.Layer): x = 1\n",
            "supernets/support.py": "from supernets.a import A\n",
            "supernets/middle.py": "import abc\nfrom supernets.base import Layer\n"
            "class M(Layer):\n  @abc.abstractmethod\n  def f(self): ...\n",
            "supernets/c.py": "from .middle import M\nclass C(M): x = 1\n",
            "supernets/layers/d.py": "from supernets.c import C\n"
            "class D(nnx.Module): x = 1\n",
            "supernets/layers/e.py": "import supernets.layers.d\n"
            "class E(nnx.Module): x = 1\n",
        },
        2,  # b imports a, e imports d
    ),
    (
        wrong_siblings,
        {
            "search_spaces/a.py": "PRESETS = {}\n",
            "search_spaces/b.py": "from search_spaces import a\nPRESETS: dict = {}\n",
        },
        1,
    ),
    (wrong_cycles, {"nas/a.py": "import nas.b", "nas/b.py": "from nas import a"}, 1),
    (wrong_cycles, {"nas/a.py": "import nas.b", "nas/b.py": "import jax"}, 0),
    (
        wrong_cycles,
        {
            "nas/a.py": "def f():\n  import nas.b\n",
            "nas/b.py": "if TYPE_CHECKING:\n  from nas.a import f\n",
        },
        0,
    ),
    (
        wrong_cycles,
        {
            "nas/a.py": "def f():\n  import nas.b\n",
            "nas/b.py": "if TYPE_CHECKING:\n  import jax\nfrom nas.a import f\n",
        },
        1,
    ),
    (
        wrong_names_in_the_engine,
        {
            "search_spaces/grid.py": "PRESETS = {}\n",
            "supernets/base.py": BASE,
            "supernets/net.py": "class Net(Layer): x = 1\n",
            "nas/a.py": "from search_spaces import grid\n",
            "nas/b.py": "from supernets import Net\n",
            "nas/c.py": "'''A grid.'''\nif space.name == 'grid':\n  f()\n",
            "nas/d.py": "'''A grid.'''\nimport supernets.base\nf('grids')\n",
        },
        3,
    ),
    (wrong_sizes, {"nas/a.py": "\n" * 501, "tests/utils.py": "\n" * 500}, 2),
    (wrong_readers, {"nas/a.py": "import pickle\nfrom dill import load\n"}, 2),
    (wrong_readers, {"nas/a.py": "np.load(f, allow_pickle=True)\neval(s)\n"}, 2),
    (wrong_readers, {"nas/a.py": "np.load(f, allow_pickle=False)\nnet.eval()\n"}, 0),
    (wrong_framework, {"nas/a.py": "from flax import nnx", "supernets/a.py": ""}, 1),
    (wrong_steps, STEPS, 0),
    (wrong_steps, STEPS | {"nas/a.py": "f = self.supernet.apply\njax.vjp(f)\n"}, 2),
    (wrong_steps, STEPS | {"nas/a.py": "from jax import grad, jit\n"}, 1),
    (wrong_steps, STEPS | {"nas/strategies/a.py": "jax.grad(f)\n"}, 0),
    (wrong_steps, STEPS | {"nas/a.py": "def make_evaluate(): return 1\n"}, 1),
    (wrong_steps, {"nas/a.py": "x = 1\n"}, 2),
]


@pytest.mark.parametrize(("rule", "files", "offences"), BROKEN)
def test_rule_sees_what_is_broken(rule, files, offences, tmp_path):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    found = rule(Tree(tmp_path))
    assert len(found) == offences, found
