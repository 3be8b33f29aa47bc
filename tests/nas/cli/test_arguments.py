import re

import pytest

from nas.cli.arguments import Option, parse, unknown_option
from nas.cli.session import merge
from nas.errors import UserError

OPTIONS = (
    Option("workdir", "DIR", "where"),
    Option("where", "C", "constraint"),
    Option("onnx", "", "a flag"),
)


def test_command_is_taken_apart_in_any_order():
    tokens = "--a.b-c 1 tiny --where x<=1 --onnx --where=y>=-2 --workdir d --lr=-1 --s"
    found = parse(tokens.split(), OPTIONS, most=1)
    assert found.names == ("tiny",)
    assert found.options["where"] == ["x<=1", "y>=-2"]
    assert found.one("workdir") == "d"
    assert found.flag("onnx") and not found.help
    assert found.settings == (("a.b_c", "1"), ("lr", "-1"), ("s", None))


def test_negative_number_is_a_value():
    assert parse(["--a.b", "-1"], (), most=0).settings == (("a.b", "-1"),)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["--workdir"], "--workdir needs a value: --workdir DIR"),
        (["--workdir", "--onnx"], "--workdir needs a value"),
        (["--onnx=1"], "--onnx takes no value"),
        (["a", "b"], "Cannot make sense of 'b' after a"),
    ],
)
def test_what_cannot_be_read_is_refused(tokens, message):
    with pytest.raises(UserError, match=re.escape(message)):
        parse(tokens, OPTIONS, most=1)


@pytest.mark.parametrize("token", ["-h", "--help"])
def test_help_wins_over_mistakes(token):
    assert parse(["a", "b", "--workdir", token], OPTIONS, most=1).help


def test_unknown_option_names_close_ones():
    message = unknown_option("wrkdir", ["workdir", "where"])
    assert message == "--wrkdir: there is no such option. Did you mean --workdir?"


def test_later_settings_replace_earlier_ones():
    old = (
        ("controller", "nsga2"),
        ("where", "macs<=1"),
        ("where", "params<=2"),
        ("search.controller.population", "9"),
        ("training.steps", "3"),
        ("data.size", "16"),
    )
    new = (("controller", "random"), ("where", "macs<=5"))
    assert merge(old, new) == (("training.steps", "3"), ("data.size", "16"), *new)
    assert merge(old, ()) == old
    assert merge(old, (("data", "digits"),))[-2:] == (
        ("training.steps", "3"),
        ("data", "digits"),
    )
    assert merge(merge(old, new), new) == merge(old, new)
    lstm = ("search.controller.policy.hidden", "9")
    table = ("search.controller.policy", "independent")
    assert merge((lstm,), (table,)) == (table,)
