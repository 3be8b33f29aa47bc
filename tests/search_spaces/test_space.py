"""Genotypes of random conditional spaces against definitions and brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import Decision, SearchSpace, SpaceError
from tests.search_spaces.random_spaces import (
    canonical_by_hand,
    raw_genotypes,
    small_spaces,
)

# A space of its own compiles a program of its own.
FEW = settings(max_examples=8)
seeds = st.integers(0, 2**31 - 1)


def as_set(genotypes) -> set[tuple[int, ...]]:
    return {tuple(int(i) for i in row) for row in np.asarray(genotypes)}


def canonical_set(space) -> set[tuple[int, ...]]:
    return {canonical_by_hand(space, row) for row in raw_genotypes(space)}


def random_genotypes(space, seed: int, num: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, space.num_options, (num, space.num_decisions), np.int32)


@given(small_spaces())
def test_canonical_is_its_definition_and_idempotent(space):
    raw = raw_genotypes(space)
    canonical = space.canonical(raw)
    by_hand = [canonical_by_hand(space, row) for row in raw]
    np.testing.assert_array_equal(canonical, by_hand)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    # A dead decision keeps nothing; a live one keeps its option.
    np.testing.assert_array_equal(canonical == raw, space.alive(raw) | (raw == 0))


@FEW
@given(small_spaces())
def test_canonical_is_the_same_in_numpy_in_jax_and_traced(space):
    raw = raw_genotypes(space)
    expected = space.canonical(raw)
    eager = space.canonical(jnp.asarray(raw))
    traced = jax.jit(space.canonical)(jnp.asarray(raw))
    assert isinstance(expected, np.ndarray)
    assert eager.dtype == traced.dtype == expected.dtype == np.int32
    np.testing.assert_array_equal(eager, expected)
    np.testing.assert_array_equal(traced, expected)
    np.testing.assert_array_equal(space.alive(jnp.asarray(raw)), space.alive(raw))


@given(small_spaces())
def test_size_and_enumeration_are_those_of_brute_force(space):
    expected = canonical_set(space)
    listed = space.enumerate()
    assert space.raw_size == len(raw_genotypes(space))
    assert space.size == len(expected) == len(listed)
    assert [tuple(row) for row in listed] == sorted(expected)
    assert listed.dtype == np.int32


def test_size_is_exact_where_floats_are_not():
    space = SearchSpace("big", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(80)))
    assert space.size == space.raw_size == 3**80
    with pytest.raises(SpaceError, match="Sample it instead"):
        space.enumerate()


@FEW
@given(small_spaces(), seeds)
def test_samples_are_canonical_and_reach_every_option(space, seed):
    drawn = jax.jit(lambda key: space.sample(key, 600))(jax.random.key(seed))
    assert drawn.dtype == jnp.int32
    assert as_set(drawn) <= canonical_set(space)
    # Every option that has probability above 1/3^5 of being live and taken appears.
    for d, decision in enumerate(space.decisions):
        if decision.requires is None:
            assert set(np.asarray(drawn[:, d])) == set(range(len(decision.options)))


@st.composite
def spaces_and_tables(draw):
    space = draw(small_spaces())
    rows = st.lists(st.booleans(), min_size=space.max_options, max_size=9)
    table = [draw(rows)[: space.max_options] for _ in space.decisions]
    return space, np.asarray(table) & space.valid


def within(space, genotypes, table) -> set[tuple[int, ...]]:
    return {g for g in genotypes if all(table[d, o] for d, o in enumerate(g))}


@settings(max_examples=100)
@given(spaces_and_tables())
def test_restricting_keeps_exactly_the_genotypes_within_the_table(case):
    space, table = case
    wanted = within(space, canonical_set(space), table)
    try:
        closed = space.restrict(table)
    except SpaceError:
        assert not wanted
        return
    assert not (closed & ~table).any()
    raw = within(space, as_set(raw_genotypes(space)), closed)
    assert {canonical_by_hand(space, row) for row in raw} == wanted
    np.testing.assert_array_equal(space.restrict(closed), closed)


@settings(max_examples=100)
@given(small_spaces(), st.data())
def test_splitting_options_in_two_partitions_the_genotypes(space, data):
    d = data.draw(st.integers(0, space.num_decisions - 1))
    part = data.draw(st.sets(st.integers(0, space.num_options[d] - 1)))
    halves = []
    for keep in (part, set(range(space.num_options[d])) - part):
        table = space.valid.copy()
        table[d] &= np.isin(np.arange(space.max_options), list(keep))
        try:
            closed = space.restrict(table)
        except SpaceError:
            halves.append(set())
            continue
        raw = within(space, as_set(raw_genotypes(space)), closed)
        halves.append(as_set(space.canonical(np.asarray(sorted(raw), np.int32))))
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == canonical_set(space)


@FEW
@given(spaces_and_tables(), seeds)
def test_samples_of_a_restricted_space_stay_within_it(case, seed):
    space, table = case
    table[:, 0] = True
    closed = space.restrict(table)
    drawn = jax.jit(lambda k, t: space.sample(k, 100, t))(jax.random.key(seed), closed)
    assert as_set(drawn) <= within(space, canonical_set(space), table)


@FEW
@given(small_spaces(), seeds, st.sampled_from([None, 0.0, 0.5, 1.0]))
def test_mutants_are_canonical_and_different(space, seed, rate):
    parents = space.canonical(random_genotypes(space, seed))
    mutate = jax.jit(lambda key, rows: space.mutate(key, rows, rate))
    mutants = mutate(jax.random.key(seed), parents)
    assert as_set(mutants) <= canonical_set(space)
    movable = space.alive(parents) & (np.asarray(space.num_options) > 1)
    changed = (np.asarray(mutants) != parents).any(1)
    np.testing.assert_array_equal(changed, movable.any(1))


def test_a_mutation_of_rate_zero_changes_one_decision_uniformly():
    space = SearchSpace("flat", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(4)))
    parents = jnp.zeros((3000, 4), jnp.int32)
    mutants = np.asarray(space.mutate(jax.random.key(0), parents, 0.0))
    assert ((mutants != 0).sum(1) == 1).all()
    counts = [(mutants[:, d] == o).sum() for d in range(4) for o in (1, 2)]
    # 3000 / 8 = 375 expected, standard deviation 18: five of them is 90.
    assert max(abs(count - 375) for count in counts) < 90


@FEW
@given(small_spaces(), seeds)
def test_crossover_takes_live_decisions_from_the_parents(space, seed):
    a, b = random_genotypes(space, seed), random_genotypes(space, seed + 1)
    crossover = jax.jit(space.crossover)
    children = np.asarray(crossover(jax.random.key(seed), a, b))
    assert as_set(children) <= canonical_set(space)
    live = space.alive(children)
    assert (~live | (children == a) | (children == b)).all()
    alike = crossover(jax.random.key(seed), a, a)
    np.testing.assert_array_equal(alike, space.canonical(a))


@given(small_spaces(), st.data())
def test_neighbours_are_all_canonical_genotypes_one_decision_away(space, data):
    genotypes = sorted(canonical_set(space))
    origin = data.draw(st.sampled_from(genotypes))
    live = space.alive(np.asarray(origin))
    expected = set()
    for d in np.flatnonzero(live):
        for option in range(space.num_options[d]):
            row = (*origin[:d], option, *origin[d + 1 :])
            expected.add(canonical_by_hand(space, row))
    expected.discard(origin)
    found = space.neighbours(origin)
    assert found.shape == (len(expected), space.num_decisions)
    assert as_set(found) == expected


@given(small_spaces(), seeds)
def test_decoding_and_encoding_are_inverse(space, seed):
    for genotype in space.canonical(random_genotypes(space, seed)):
        choices = space.decode(genotype)
        assert tuple(choices) == space.names
        np.testing.assert_array_equal(space.encode(choices), genotype)
        live = space.alive(genotype)
        named = {n: o for (n, o), on in zip(choices.items(), live, strict=True) if on}
        np.testing.assert_array_equal(space.encode(named), genotype)


@given(small_spaces())
def test_identifiers_tell_canonical_genotypes_apart(space):
    raw = raw_genotypes(space)
    names = {space.id(row) for row in raw}
    assert len(names) == space.size
    assert all(space.id(row) == space.id(space.canonical(row)) for row in raw)


def test_long_identifiers_are_short_stable_and_safe():
    space = SearchSpace("big", tuple(Decision(f"d{i}", (0, 1, 2)) for i in range(80)))
    assert space.id([1] * 80) == "gd7f070da78"
    assert space.id([1] * 79 + [2]) != space.id([1] * 80)


@FEW
@given(small_spaces(), seeds)
def test_encodings_tell_genotypes_apart_and_ignore_what_is_dead(space, seed):
    genotypes = random_genotypes(space, seed)
    one_hot = space.one_hot(genotypes)
    assert one_hot.shape == (len(genotypes), sum(space.num_options))
    assert one_hot.dtype == np.float32
    starts = np.cumsum([0, *space.num_options])
    for d, n in enumerate(space.num_options):
        block = one_hot[:, starts[d] : starts[d] + n]
        expected = np.eye(n)[space.canonical(genotypes)[:, d]]
        np.testing.assert_array_equal(block, expected)
    ordinal = space.ordinal(genotypes)
    last = np.maximum(np.asarray(space.num_options) - 1, 1)
    np.testing.assert_allclose(ordinal, space.canonical(genotypes) / last, rtol=1e-6)
    np.testing.assert_array_equal(space.one_hot(jnp.asarray(genotypes)), one_hot)
    np.testing.assert_array_equal(space.ordinal(jnp.asarray(genotypes)), ordinal)
