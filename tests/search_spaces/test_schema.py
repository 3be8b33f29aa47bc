"""Spaces are data: JSON there and back, and hashes that files rely on."""

import json

import pytest
from hypothesis import given

import search_spaces
from search_spaces import Decision, SearchSpace, SpaceError
from tests.search_spaces.random_spaces import small_spaces

# Checkpoints and archives carry these: a change makes every old file unreadable.
HASHES = {
    "autoformer_base": "7af9dd7ee5c3bd47",
    "autoformer_small": "50e6e2f8a9983733",
    "autoformer_tiny": "d39caa87ef885345",
    "gpt_shakespeare": "0be0b3dea61286ea",
    "gpt_tiny": "d6bc92fdf6f891c0",
    "gpt_tinystories": "baf676f62c5a9948",
    "nasbench201": "c6b09804c06a8280",
    "vit_tiny": "c7be2ad4dd889054",
}


def through_text(space: SearchSpace) -> SearchSpace:
    return SearchSpace.from_json(json.loads(json.dumps(space.to_json())))


@given(small_spaces())
def test_random_spaces_survive_json(space):
    again = through_text(space)
    assert again == space
    assert again.hash == space.hash
    assert again.size == space.size


@pytest.mark.parametrize("name", sorted(search_spaces.discover()))
def test_presets_survive_json(name):
    space = search_spaces.discover()[name]
    assert space.name == name
    assert through_text(space) == space
    assert hash(through_text(space)) == hash(space)


@pytest.mark.parametrize("name", sorted(HASHES))
def test_hashes_of_presets_do_not_change(name):
    assert search_spaces.discover()[name].hash == HASHES[name]


def test_the_hash_follows_the_decisions_and_not_the_name():
    def space(name="s", decision="d", options=(1, 2), requires=(2,)):
        return SearchSpace(
            name,
            (Decision(decision, options), Decision("e", (1,), (decision, requires))),
        )

    assert space(name="other").hash == space().hash
    others = [
        space(decision="c"),
        space(options=(2, 1)),
        space(options=(1, 2, 3)),
        space(options=(1.0, 2)),
        space(requires=(1, 2)),
    ]
    assert len({s.hash for s in [space(), *others]}) == 1 + len(others)


def broken(**changes) -> dict:
    data = SearchSpace("s", (Decision("d", (1, 2)),)).to_json()
    return {**data, **changes}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (broken(schema=2), "schema 2; this version reads schema 1"),
        ({}, "schema None"),
        ([], r"schema \[\]"),
        ({"schema": 1}, "no search space: KeyError"),
        (broken(decisions=[{"name": "d"}]), "no search space: KeyError"),
        (broken(decisions=[3]), "no search space: TypeError"),
        (
            broken(decisions=[{"name": "d", "options": "ab", "requires": None}]),
            "'ab', not a list",
        ),
        (
            broken(decisions=[{"name": "d", "options": [1], "requires": ["d"]}]),
            "no search space: ValueError",
        ),
        (
            broken(decisions=[{"name": "d", "options": [], "requires": None}]),
            "give at least 1",
        ),
    ],
)
def test_what_is_no_space_of_this_schema_is_refused(data, message):
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_json(data)
