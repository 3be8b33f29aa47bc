"""The whole job on a text: the same engine as for images, and the numbers by hand."""

import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nas import Export, Run
from nas.data import Augment, TextFile
from nas.errors import UserError
from nas.evaluation import error_interval
from nas.export import load_subnet, onnx, predict_tokens
from nas.export.weights import pack_weights
from nas.losses import CrossEntropy
from nas.report.page import write_report
from nas.settings import Finetune, Training
from nas.stages.initial import start_from
from search_spaces import Architecture
from supernets import Outputs
from supernets.language_model import TINY
from tests.nas.training.parts import ignore, tiny

WORDS = ("the", "cat", "sat", "on", "the", "mat", "and", "dog", "lay", "log", "it")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Sentences of few words in no order."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "book.txt"
    lines = [" ".join(rng.choice(WORDS, 5)) + ".\n" for _ in range(120)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def experiment(book):
    return tiny(
        supernet=TINY,
        data=TextFile(str(book), length=8),
        search=dataclasses.replace(tiny().search, objectives=("nll", "params")),
        export=Export(most=1),
        finetune=Finetune(steps=4, batch_size=8),
    )


@pytest.fixture(scope="module")
def finished(experiment, tmp_path_factory):
    """A run that trained, searched and exported, and its one member."""
    folder = tmp_path_factory.mktemp("runs") / "text"
    with Run(experiment, folder, notify=ignore) as run:
        run.train()
        run.search()
        run.front()
        (member,) = run.export()
        yield run, member


@pytest.fixture(scope="module")
def subnet(finished):
    run, member = finished
    return load_subnet(run.workdir.subnet(member.id))


def test_evaluation_is_the_mean_over_tokens(finished):
    run, _ = finished
    split, state = run.splits.search, run.state
    genotypes = np.stack([run.supernet.smallest(), run.supernet.largest()])
    found = run.evaluator.evaluate(
        state["params"], state["allowed"], genotypes, run.on_device("search")
    )
    own = jax.tree.map(lambda leaf: leaf[0], state["params"])
    apply = jax.jit(lambda arch: run.supernet.apply(own, None, arch, split.inputs))
    for i, genotype in enumerate(genotypes):
        arch = Architecture.hard(run.supernet.space, jnp.asarray(genotype))
        logits = np.asarray(apply(arch).logits, np.float64)
        assert logits.shape == (*split.labels.shape, run.dataset.num_classes)
        nll, wrong = 0.0, np.zeros(split.labels.shape)
        for n, t in np.ndindex(split.labels.shape):
            row, label = logits[n, t], split.labels[n, t]
            nll += math.log(sum(math.exp(value) for value in row)) - row[label]
            wrong[n, t] = row.argmax() != label
        assert found["nll"][i] == pytest.approx(nll / wrong.size, rel=1e-5)
        assert found["error"][i] == pytest.approx(wrong.mean(), abs=1e-6)
        variance = wrong.mean(1).var()
        assert found["error_variance"][i] == pytest.approx(variance, abs=1e-6)


def test_losses_are_of_examples():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, 5, 4)).astype(np.float32)
    labels = rng.integers(0, 4, (3, 5)).astype(np.int32)
    found = CrossEntropy(0.1)(Outputs(jnp.asarray(logits), jnp.zeros(0), {}), labels)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    targets = 0.9 * np.eye(4)[labels] + 0.1 / 4
    expected = -(targets * log_p).sum(-1).mean(1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_card_counts_tokens_and_its_interval_is_over_windows(finished, subnet):
    run, member = finished
    card = json.loads((run.workdir.subnet(member.id) / "card.json").read_text())
    report = run.splits.report
    wrong = np.asarray(subnet(report.inputs)).argmax(-1) != report.labels
    assert card["error"] == pytest.approx(wrong.mean(), abs=1e-9)
    assert card["error_interval"] == pytest.approx(
        error_interval(wrong.mean(), wrong.mean(1).var(), *wrong.shape), abs=1e-9
    )
    assert (card["num_windows"], card["num_tokens"]) == (len(wrong), wrong.size)
    assert card["bits_per_character"] == pytest.approx(card["nll"] / math.log(2))
    assert member.objectives["error"] == card["error"]
    assert list(member.interval) == card["error_interval"]


def test_exported_files_say_what_the_supernet_says(finished, subnet):
    run, member = finished
    folder = run.workdir.subnet(member.id)
    own = jax.tree.map(lambda leaf: leaf[0], run.state["params"])
    arch = Architecture.hard(run.supernet.space, jnp.asarray(member.genotype))
    tokens = run.splits.report.inputs[:5]
    logits = run.supernet.apply(own, None, arch, jnp.asarray(tokens)).logits
    np.testing.assert_allclose(subnet(tokens), logits, rtol=1e-4, atol=1e-5)
    accepts = json.loads((folder / "architecture.json").read_text())["input"]
    assert accepts == {"kind": "tokens", "shape": [8], "dtype": "int32"}
    checks = json.loads((folder / "parity.json").read_text())["checks"]
    assert {"jax_export_vs_module", "stablehlo_vs_module"} <= set(checks)
    assert subnet.class_names == run.dataset.class_names


def predict(folder, *arguments):
    """Run predict.py where none of our packages can be imported."""
    names = ("nas", "supernets", "search_spaces", "experiments")
    script = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({names}));"
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", script, str(folder / "predict.py")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [*command, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def elsewhere(finished, tmp_path_factory):
    run, member = finished
    folder = tmp_path_factory.mktemp("elsewhere") / "net"
    return shutil.copytree(run.workdir.subnet(member.id), folder)


def answer(subnet, text):
    """The shares of the next character, by name, from the network in this process."""
    numbers = subnet.preprocessing.tokens.vocabulary
    tokens = [numbers.index(ord(c)) for c in text][-8:]
    logits = np.asarray(subnet(np.array([tokens + [0] * (8 - len(tokens))], np.int32)))
    row = np.exp(logits[0, len(tokens) - 1].astype(np.float64))
    return dict(zip(subnet.class_names, row / row.sum(), strict=True))


def test_predict_names_the_next_characters(subnet, elsewhere):
    text = "the cat sat on"  # longer than a window
    done = predict(elsewhere, text, "--top", "4")
    assert done.returncode == 0, done.stderr
    found = [line.split("\t") for line in done.stdout.splitlines()]
    expected = answer(subnet, text)
    assert len(found) == 4
    assert sorted(expected, key=expected.get, reverse=True)[:4] == [n for n, _ in found]
    for name, share in found:
        assert float(share) == pytest.approx(expected[name], abs=1e-4)


def test_predict_writes_on(subnet, elsewhere, tmp_path):
    (tmp_path / "begin.txt").write_text("the dog")
    arguments = ("--file", str(tmp_path / "begin.txt"), "--sample", "6")
    done = predict(elsewhere, *arguments, "--temperature", "0")
    text = "the dog"
    for _ in range(6):
        shares = answer(subnet, text)
        name = max(shares, key=shares.get)
        text += {"space": " ", r"\n": "\n"}.get(name, name)
    assert done.stdout == text + "\n"


def test_predict_refuses_in_one_message(elsewhere, tmp_path, monkeypatch, capsys):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    monkeypatch.setattr(predict_tokens, "FOLDER", elsewhere)
    for arguments, message in (
        (["the zebra"], "the character 'z' at 4 does not occur"),
        ([""], "is empty"),
        ([], "give either a text"),
        (["the", "--sample", "-1"], "must be 0 or more"),
        (["--file", str(tmp_path / "latin.txt")], "is not UTF-8 at byte 3"),
        (["--file", str(tmp_path / "absent.txt")], "cannot be read"),
    ):
        monkeypatch.setattr(sys, "argv", ["predict.py", *arguments])
        with pytest.raises(SystemExit, match="2"):
            predict_tokens.main()
        told = capsys.readouterr()
        assert told.err.startswith("predict.py: ")
        assert message in told.err
        assert told.out == ""


def test_bytes_become_text_again():
    numbers = sorted(set("déjà vu".encode()))
    tokenizer = predict_tokens.Tokenizer("byte", numbers)
    tokens = tokenizer.encode("déjà vu")
    assert [numbers[token] for token in tokens] == list("déjà vu".encode())
    assert tokenizer.decode(tokens) == "déjà vu"
    assert tokenizer.decode(tokens[:2]) == "d\N{REPLACEMENT CHARACTER}"


def test_report_speaks_of_characters(finished):
    run, _ = finished
    page = write_report(run.workdir.path).read_text()
    for words in (
        "say which character comes next, at each place of windows of 8 characters",
        "Bits per character",
        "over windows, as the characters of one window are not independent",
        " bits a character",
        "predict.py &quot;Some text&quot;",
    ):
        assert words in page
    shown = page.partition("Every setting (config.json)")[0]
    assert "images" not in shown


def test_data_and_network_must_be_of_one_kind(experiment):
    with pytest.raises(UserError, match=r"are images, but .* takes tokens"):
        Run(dataclasses.replace(experiment, data=tiny().data), notify=ignore)
    with pytest.raises(UserError, match=r"are tokens of a text, but .* takes images"):
        Run(tiny(data=experiment.data), notify=ignore)
    flips = Training(augment=Augment(flip=True))
    with pytest.raises(UserError, match="crops and flips are for images"):
        Run(dataclasses.replace(experiment, training=flips), notify=ignore)


@pytest.mark.slow
def test_finetuning_goes_on_from_inherited_weights(finished):
    run, member = finished
    found = run.finetune(member.id)
    assert found["finetuned"]["steps"] == 4
    assert found["inherited"]["num_tokens"] == run.splits.report.labels.size
    assert "updates of 8 windows of text" in found["budget"]
    tuned = load_subnet(run.workdir.path / "finetuned" / member.id)
    assert tuned(run.splits.report.inputs[:2]).shape == (2, 8, run.dataset.num_classes)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_onnxruntime_computes_the_same(elsewhere, tmp_path):
    """Needs a package index at first use; minutes, most of them installing."""
    folder = shutil.copytree(elsewhere, tmp_path / "net")
    model = onnx.convert_to_onnx(folder)
    parity = json.loads((folder / "parity.json").read_text())
    assert model.stat().st_size > 1000
    assert parity["checks"]["onnx_vs_jax_export"]["relative"] < 1e-4


@pytest.mark.slow
def test_training_starts_from_the_largest_subnet(finished, experiment, tmp_path):
    run, _ = finished
    genotype = run.supernet.largest()
    own = jax.tree.map(lambda leaf: np.asarray(leaf[0]), run.state["params"])
    extracted = run.supernet.extract(own, None, genotype)
    path = tmp_path / "weights.safetensors"
    path.write_bytes(pack_weights(jax.tree.map(np.asarray, extracted)))
    again = Run(experiment, notify=ignore)
    state = start_from(again, again.train_step.init(again.allowed), path)
    started = jax.tree.map(lambda leaf: leaf[0], state["params"])
    found = again.supernet.extract(started, None, genotype)["params"]
    jax.tree.map(np.testing.assert_array_equal, found, extracted["params"])
