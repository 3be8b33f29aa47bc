import dataclasses
import enum
from pathlib import Path
from typing import Literal

import pytest

from nas.cli.field_texts import field_texts
from nas.cli.overrides import apply, settings, show
from nas.errors import UserError
from nas.policies import Autoregressive, Independent
from nas.search import PPO, Search
from search_spaces import SearchSpace, discover


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass(frozen=True)
class Inner:
    """A part.

    Attributes:
      low: the lower end, which is
        explained in two lines.
      high: the upper end.
    """

    low: int = 1
    high: int = 5

    def __post_init__(self):
        if self.low >= self.high:
            raise ValueError(f"low is {self.low} and high {self.high}")


@dataclasses.dataclass(frozen=True)
class Parent:
    shared: float = 0.5
    """What every child has."""


@dataclasses.dataclass(frozen=True)
class Outer(Parent):
    """A whole."""

    inner: Inner = dataclasses.field(default_factory=Inner)
    flag: bool = False
    names: tuple[str, ...] = ("a",)
    shape: tuple[int, int] = (2, 3)
    maybe: int | None = None
    colour: Colour = Colour.RED
    mode: Literal["fast", "slow"] = "fast"
    path: Path = Path("x")
    space: SearchSpace = dataclasses.field(
        default_factory=lambda: next(iter(discover().values()))
    )
    nested: tuple[tuple[str, int], ...] = ()
    anything: object = None
    not_given: int = dataclasses.field(default=7, init=False)


GOOD = [
    ("inner.low", "3", lambda o: o.inner.low, 3),
    ("inner.high", "1e3", lambda o: o.inner.high, 1000),
    ("inner.high", "12345678901234567", lambda o: o.inner.high, 12345678901234567),
    ("shared", "-2.5e-3", lambda o: o.shared, -0.0025),
    ("flag", "yes", lambda o: o.flag, True),
    ("flag", "", lambda o: o.flag, True),
    ("flag", "False", lambda o: o.flag, False),
    ("names", "b, c", lambda o: o.names, ("b", "c")),
    ("shape", "4,5", lambda o: o.shape, (4, 5)),
    ("maybe", "4", lambda o: o.maybe, 4),
    ("maybe", "none", lambda o: o.maybe, None),
    ("colour", "blue", lambda o: o.colour, Colour.BLUE),
    ("mode", "slow", lambda o: o.mode, "slow"),
    ("path", "y/z", lambda o: o.path, Path("y/z")),
]


@pytest.mark.parametrize(("path", "text", "read", "expected"), GOOD)
def test_text_is_read_by_the_annotation(path, text, read, expected):
    given = Outer(maybe=1)
    assert read(apply(given, {path: text})) == expected
    assert given == Outer(maybe=1)


@pytest.mark.parametrize(("path", "text", "read", "value"), GOOD)
def test_what_is_shown_can_be_typed(path, text, read, value):
    if text:
        assert read(apply(Outer(), {path: show(value)})) == value


@pytest.mark.parametrize("name", sorted(discover()))
def test_space_is_given_by_name(name):
    assert apply(Outer(), {"space": name}).space == discover()[name]


BAD = [
    ("inner.low", "three", "is no whole number. Here it is 1"),
    ("inner.low", "1.5", "is no whole number"),
    ("inner.low", "", "needs a value: a whole number"),
    ("shared", "nan", "is no finite number"),
    ("shared", "inf", "is no finite number"),
    ("flag", "perhaps", "is no true or false"),
    ("shape", "1,2,3", "is no list, with commas, of 2: whole number, whole number"),
    ("maybe", "x", "is no whole number or none"),
    ("colour", "green", "is no one of red, blue"),
    ("mode", "quick", "is no one of fast, slow"),
    ("space", "nasbench20", "Did you mean nasbench201?"),
    ("inner.lwo", "1", "Did you mean --inner.low"),
    ("inner", "1", "is a group of settings. Allowed: --inner.low, --inner.high"),
    ("low", "1", "Did you mean --inner.low?"),
    ("other.high", "1", "Did you mean --inner.high?"),
    ("not_given", "1", "no such setting"),
    ("nested", "a", "no such setting"),
    ("anything", "a", "no such setting"),
    ("inner.low", "5", "--inner.low 5: low is 5 and high 5"),
]


@pytest.mark.parametrize(("path", "text", "message"), BAD)
def test_bad_setting_is_refused_with_what_to_do(path, text, message):
    with pytest.raises(UserError) as caught:
        apply(Outer(), {path: text})
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--{path}") or path == "space"


def test_values_of_one_part_are_checked_together():
    # Either alone would be refused.
    changed = apply(Outer(), {"inner.low": "7", "inner.high": "9"})
    assert changed.inner == Inner(7, 9)


def test_part_is_chosen_by_name_before_its_own_settings_are_given():
    lstm = {"policy.hidden": "8", "policy": "autoregressive"}
    assert apply(PPO(), {"policy": "independent"}) == PPO(policy=Independent())
    assert apply(PPO(policy=Independent()), lstm).policy == Autoregressive(hidden=8)
    assert show(Independent()) == "independent"
    with pytest.raises(UserError, match=r"--policy\.hidden: .* no such setting"):
        apply(PPO(), lstm | {"policy": "independent"})
    with pytest.raises(UserError, match=r"no policy .table.\. Allowed: autoregressive"):
        apply(PPO(), {"policy": "table"})
    # The controller of a search has an option of its own.
    with pytest.raises(UserError, match="--controller is a group of settings"):
        apply(Search(PPO()), {"controller": "random"})


def test_every_field_that_can_be_read_is_a_setting():
    found = {setting.path: setting for setting in settings(Outer())}
    plain = {f.name for f in dataclasses.fields(Outer)}
    plain -= {"inner", "nested", "anything", "not_given"}
    assert set(found) == plain | {"inner.low", "inner.high"}
    assert found["inner.low"].text == "the lower end, which is explained in two lines."
    assert found["shared"].text == "What every child has."
    assert found["shape"].shown == "2,3"


def test_class_without_a_file_has_no_texts():
    made = dataclasses.make_dataclass("Made", [("x", int)])
    assert "x" not in field_texts(made)
