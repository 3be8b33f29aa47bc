"""Where latencies come from: values, expectations, and what is refused."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas.errors import UserError
from nas.experiment import to_json
from nas.latency import (
    BlockLatency,
    CSVLatency,
    MeasuredLatency,
    TableLatency,
    source_of,
)
from nas.latency.features import encode, encode_mixture
from nas.ranking import TruthSource, TruthTable
from predictors.base import Fitted, Prediction, Predictor
from predictors.linear_formula import FitFormula
from supernets import discover_tiny

from .conftest import FIXED, SPACE, TABLE, truth


def write(path, headings, rows):
    lines = [headings, *rows]
    path.write_text("\n".join(",".join(map(str, line)) for line in lines) + "\n")
    return str(path)


def csv_of(path, genotypes):
    rows = [
        (" ".join(map(str, g)), repr(float(ms)))
        for g, ms in zip(genotypes, truth(genotypes), strict=True)
    ]
    return write(path, ("genotype", "latency_ms"), rows)


def block_rows():
    yield ("fixed", "", FIXED)
    for d, decision in enumerate(SPACE.decisions):
        for o, option in enumerate(decision.options):
            yield (decision.name, option, TABLE[d, o])


@dataclasses.dataclass(frozen=True)
class Table(TruthSource):
    """A truth that knows two devices, of some architectures."""

    rows: int = 39

    def load(self) -> TruthTable:
        genotypes = SPACE.enumerate()[: self.rows]
        none = np.full((len(genotypes), 1), np.nan)
        columns = {"latency_ms_a": truth(genotypes), "latency_ms_b": truth(genotypes)}
        seeds = np.zeros(1, np.int32)
        return TruthTable(SPACE, genotypes, seeds, none, none, {"name": "t"}, columns)


# ------------------------------------------------------------------------- features
def test_a_mixture_is_encoded_as_the_mean_over_its_architectures(toy, everything):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), 4)
    raw = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    share = weights[np.arange(4), raw].prod(1)
    mixture = jax.jit(lambda w: encode_mixture(toy, w))
    found = mixture(weights.astype(np.float32))
    expected = share @ encode(toy, SPACE.canonical(raw.astype(np.int32)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for genotype in everything[::7]:
        one_hot = np.eye(3, dtype=np.float32)[genotype]
        exact = encode(toy, genotype[None])[0]
        np.testing.assert_allclose(mixture(one_hot), exact, rtol=1e-6)


# ------------------------------------------------------------------------------ CSV
def test_a_part_of_an_additive_device_tells_all_of_it(toy, everything, tmp_path):
    some = everything[np.random.default_rng(0).permutation(39)[:24]]
    model = CSVLatency(csv_of(tmp_path / "mine.csv", some)).load(toy)
    assert not model.complete and "24 networks" in model.text
    np.testing.assert_allclose(model(everything), truth(everything), rtol=1e-5)
    np.testing.assert_array_equal(model(some), truth(some))
    genotype = np.array([2, 1, 0, 2], np.int32)
    one_hot = np.eye(3, dtype=np.float32)[genotype]
    hard, slope = jax.jit(jax.value_and_grad(model.expected))(one_hot)
    assert float(hard) == pytest.approx(truth(genotype[None])[0], rel=1e-4)
    # Where all is alive, the slopes of a decision differ as its options do.
    found = np.asarray(slope[3] - slope[3, 0])
    np.testing.assert_allclose(found, TABLE[3] - TABLE[3, 0], rtol=1e-3, atol=1e-4)


def test_a_complete_list_is_looked_up(toy, everything, tmp_path):
    rng = np.random.default_rng(0)
    ms = rng.uniform(1, 9, 39)  # not additive at all
    rows = [("-".join(map(str, g)), v) for g, v in zip(everything, ms, strict=True)]
    path = write(tmp_path / "all.csv", ("id", "latency_ms"), rows)
    model = CSVLatency(path).load(toy)
    assert model.complete
    np.testing.assert_array_equal(model(everything), ms)
    # Another name of the same computation.
    np.testing.assert_array_equal(model(np.array([[0, 2, 1, 2]])), ms[[6 // 3]])


def test_architectures_are_named_by_options_too(toy, everything, tmp_path):
    rows = []
    for genotype in everything[::2]:
        alive, chosen = SPACE.alive(genotype), SPACE.decode(genotype)
        cells = [
            chosen[n] if a else "" for n, a in zip(SPACE.names, alive, strict=True)
        ]
        rows.append((*cells, truth(genotype[None])[0], "a note"))
    path = write(tmp_path / "n.csv", (*SPACE.names, "latency_ms", "note"), rows)
    model = CSVLatency(path).load(toy)
    np.testing.assert_allclose(model(everything[::2]), truth(everything[::2]))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("0 1 0 0,nan", "row 3: the latency is nan"),
        ("0 1 0 0,-2", "row 3: the latency is -2.0 ms"),
        ("0 1 0 0,0", "row 3: the latency is 0.0 ms"),
        ("0 1 0 0,fast", "row 3: 'fast' is no number"),
        ("0 0 1 2,2", "row 3: architecture 0-0-0-0 is there already, in .*row 1"),
        ("0 9 0 0,2", "row 3.*kernel_1"),
        ("0 0 0,2", "row 3"),
        ("a b,2", "row 3: genotype 'a b' is no list"),
        ("0 1 0 0,2,5", "row 3 has 3 cells"),
        ("0 1 0 0,2", "3 architectures are too few"),
    ],
)
def test_bad_lines_are_refused_with_their_place(toy, tmp_path, line, text):
    path = tmp_path / "bad.csv"
    path.write_text(f"genotype,latency_ms\n0 0 0 0,1\n2 0 0 0,1.5\n{line}\n")
    with pytest.raises(UserError, match=text):
        CSVLatency(str(path)).load(toy)


def test_headings_must_say_what_they_are(toy, tmp_path):
    path = tmp_path / "bad.csv"
    for content, text in (
        ("genotype,ms\n0 0 0 0,1\n", "must name the column latency_ms"),
        ("depth,latency_ms\n1,1\n", "no column says which architecture"),
        ("genotype,genotype,latency_ms\n", "there twice"),
        ("genotype,latency_ms\n", "no line below"),
        ("", "found nothing"),
    ):
        path.write_text(content)
        with pytest.raises(UserError, match=text):
            CSVLatency(str(path)).load(toy)
    with pytest.raises(UserError, match="there is no such file"):
        CSVLatency(str(tmp_path / "none.csv")).load(toy)


# --------------------------------------------------------------------------- blocks
def test_blocks_add_up_over_what_is_alive(toy, everything, tmp_path):
    path = write(tmp_path / "b.csv", ("decision", "option", "ms"), block_rows())
    assert isinstance(source_of(path), BlockLatency)
    model = BlockLatency(path).load(toy)
    np.testing.assert_allclose(model(everything), truth(everything), rtol=1e-12)
    weights = np.random.default_rng(3).dirichlet(np.ones(3), 4)
    raw = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    mean = weights[np.arange(4), raw].prod(1) @ truth(raw)
    found = jax.jit(model.expected)(weights.astype(np.float32))
    assert float(found) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows[:-2], "2 lines are missing.*kernel_3 5, kernel_3 7"),
        (lambda rows: rows[1:], "1 lines are missing.*fixed"),
        (lambda rows: [*rows, rows[3]], "option 3 of depth is there already"),
        (lambda rows: [*rows, rows[0]], "fixed is there already"),
        (lambda rows: [*rows, ("width", 3, 1)], "no decision 'width'"),
        (lambda rows: [*rows, ("depth", 9, 1)], "no option '9'"),
        (lambda rows: [*rows[:-1], ("kernel_3", 7, "nan")], "ms is nan"),
        (lambda rows: [*rows[:-1], ("kernel_3", 7, -1)], "ms is -1.0"),
    ],
)
def test_tables_of_blocks_must_be_whole(toy, tmp_path, change, text):
    rows = change(list(block_rows()))
    path = write(tmp_path / "b.csv", ("decision", "option", "ms"), rows)
    with pytest.raises(UserError, match=text):
        BlockLatency(path).load(toy)


def joint_rows(space, rng):
    """A table of Once-for-All's form: a block by its kernel and expansion together."""
    yield ("fixed", "", 0.5)
    for d, decision in enumerate(space.decisions):
        kind, _, block = decision.name.partition("_")
        if kind == "expand":
            continue  # in the lines of the kernel
        other = space.decisions[space.names.index(f"expand_{block}")] if (
            kind == "kernel"
        ) else None  # fmt: skip
        for option in space.decisions[d].options:
            if other is None:
                yield (decision.name, option, rng.uniform(0, 9))
                continue
            for more in other.options:
                # The order of the names is the file's affair.
                names = f"{other.name}+{decision.name}"
                yield (names, f"{more}+{option}", rng.uniform(0, 9))


def test_combinations_are_looked_up_together(tmp_path):
    supernet = discover_tiny()["MobileSupernet"]
    space = supernet.space
    rows = list(joint_rows(space, np.random.default_rng(0)))
    path = write(tmp_path / "b.csv", ("decision", "option", "ms"), rows)
    model = BlockLatency(path).load(supernet)
    table = {(name, str(option)): ms for name, option, ms in rows}

    def by_hand(genotype):
        total, taken = 0.5, space.decode(genotype)
        for name, live in zip(space.names, space.alive(genotype), strict=True):
            kind, _, block = name.partition("_")
            if not live or kind == "expand":
                continue
            key = name, str(taken[name])
            if kind == "kernel":
                other = f"expand_{block}"
                key = f"{other}+{name}", f"{taken[other]}+{taken[name]}"
            total += table[key]
        return total

    genotypes = np.asarray(space.sample(jax.random.key(0), 50))
    expected = [by_hand(genotype) for genotype in genotypes]
    np.testing.assert_allclose(model(genotypes), expected, rtol=1e-12)
    # A block that is there in part, with a mixture in it: three decisions at once.
    block = next(d for d, name in enumerate(space.names) if name == "kernel_2_2")
    condition = space.conditions[block]
    assert condition is not None
    mixed = (block, space.names.index("expand_2_2"), condition[0])
    weights = np.zeros(space.valid.shape)
    weights[:, 0] = 1.0
    mean = 0.0
    parts = {d: np.random.default_rng(d).dirichlet(np.ones(space.num_options[d]))
             for d in mixed}  # fmt: skip
    for d, part in parts.items():
        weights[d, : len(part)] = part
    for at in np.ndindex(*(len(part) for part in parts.values())):
        genotype = np.zeros(space.num_decisions, np.int32)
        genotype[list(parts)] = at
        share = np.prod([p[o] for p, o in zip(parts.values(), at, strict=True)])
        mean += share * by_hand(space.canonical(genotype))
    found = jax.jit(model.expected)(weights.astype(np.float32))
    assert float(found) == pytest.approx(mean, rel=1e-5)
    assert np.isfinite(jax.grad(model.expected)(weights.astype(np.float32))).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda rows: rows[:-1], "1 lines are missing.*kernel_2_2[+]expand_2_2"),
        (lambda rows: [*rows, ("kernel_1_1", 3, 1)], "stands with other decisions"),
        (lambda rows: [*rows, ("kernel_1_1+expand_1_1", "3", 1)], "1 options"),
        (lambda rows: [*rows, ("depth_1+depth_1", "1+1", 1)], "a decision twice"),
        (lambda rows: [("depth_2+kernel_2_2", "2+3", 1)], "an effect together"),
    ],
)
def test_combinations_must_be_whole_and_fit(tmp_path, change, text):
    supernet = discover_tiny()["MobileSupernet"]
    rows = change(list(joint_rows(supernet.space, np.random.default_rng(0))))
    path = write(tmp_path / "b.csv", ("decision", "option", "ms"), rows)
    with pytest.raises(UserError, match=text):
        BlockLatency(path).load(supernet)


# --------------------------------------------------------------------------- tables
def test_a_published_table_is_looked_up(toy, everything):
    model = TableLatency(Table(), "latency_ms_b").load(toy)
    assert model.complete and "39 networks" in model.text
    np.testing.assert_array_equal(model(everything), truth(everything))
    part = TableLatency(Table(rows=30), "latency_ms_a").load(toy)
    np.testing.assert_array_equal(part(everything[:30]), truth(everything[:30]))
    with pytest.raises(UserError, match=r"no column 'latency_ms_c'.*latency_ms_a"):
        TableLatency(Table(), "latency_ms_c").load(toy)


# ------------------------------------------------------------------------- the model
def test_fingerprints_tell_latencies_apart(toy, everything, tmp_path):
    one = CSVLatency(csv_of(tmp_path / "a.csv", everything)).load(toy)
    same = TableLatency(Table(), "latency_ms_a").load(toy)
    assert one.fingerprint == same.fingerprint and len(one.fingerprint) == 16
    fewer = CSVLatency(csv_of(tmp_path / "b.csv", everything[:30])).load(toy)
    assert fewer.fingerprint != one.fingerprint


class Low(Predictor, Fitted):
    """Predicts what cannot be, and has no gradient."""

    def fit(self, encodings, values):
        return self

    def predict(self, encodings):
        return Prediction(np.full(len(encodings), -3.0), None)


def test_any_predictor_may_be_fitted(toy, everything, tmp_path):
    path = csv_of(tmp_path / "a.csv", everything[:30])
    counted = CSVLatency(path, FitFormula()).load(toy)
    assert np.isfinite(counted(everything)).all()
    with pytest.raises(UserError, match="LinearFormula cannot be differentiated"):
        counted.expected(jnp.ones((4, 3)) / 3)
    assert (CSVLatency(path, Low()).load(toy)(everything[30:]) == 0).all()


def test_sources_are_settings_and_known_by_their_files(tmp_path):
    found = to_json(CSVLatency("mine.csv"))
    assert found == {"class": "CSVLatency", "path": "mine.csv", "predictor": None}
    assert source_of("runs/x/latency.json") == MeasuredLatency("runs/x/latency.json")
    path = write(tmp_path / "c.csv", ("genotype", "latency_ms"), [])
    assert source_of(path) == CSVLatency(path)
    with pytest.raises(UserError, match=r"\.json file"):
        source_of("latency.npz")
