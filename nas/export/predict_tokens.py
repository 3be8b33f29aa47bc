"""Continue text with the network in this folder.

Run `python predict.py "Some text"`, or `python predict.py --file NOTES.txt`, for the
most probable next tokens; `--sample 200` writes on. It needs Python 3.11 and
`pip install jax numpy flatbuffers`, and nothing else: the program beside this file,
`model.jax_export`, holds the weights.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NoReturn

FOLDER = Path(__file__).resolve().parent
UNITS = ("character", "byte")


def fail(message: str) -> NoReturn:
    """Print one message and leave with status 2."""
    print(f"predict.py: {message}", file=sys.stderr)
    sys.exit(2)


try:
    import flatbuffers as _flatbuffers  # noqa: F401  jax.export reads its files with it
    import jax
    import jax.export
    import numpy as np
except ImportError as error:
    fail(f"{error}. Install what is needed: pip install jax numpy flatbuffers")


class Tokenizer:
    """From text to the tokens of a network, and back.

    Attributes:
      unit: `character` or `byte`.
      numbers: what each token stands for, a code point or the value of a byte.
    """

    def __init__(self, unit: str, numbers: list[int]) -> None:
        """Take the vocabulary of `architecture.json`."""
        self.unit, self.numbers = unit, numbers
        self._token = {number: token for token, number in enumerate(numbers)}

    def encode(self, text: str) -> list[int]:
        """Number the tokens of a text."""
        symbols = list(text.encode("utf-8")) if self.unit == "byte" else map(ord, text)
        tokens = []
        for place, number in enumerate(symbols):
            if number not in self._token:
                shown = repr(chr(number)) if self.unit == "character" else hex(number)
                fail(
                    f"the {self.unit} {shown} at {place} does not occur in the text "
                    f"that the network was trained on. It knows {self._known()}."
                )
            tokens.append(self._token[number])
        return tokens

    def decode(self, tokens: list[int]) -> str:
        """Write tokens as text."""
        numbers = [self.numbers[token] for token in tokens]
        if self.unit == "byte":
            return bytes(numbers).decode("utf-8", errors="replace")
        return "".join(map(chr, numbers))

    def _known(self) -> str:
        if self.unit == "byte":
            return f"{len(self.numbers)} bytes"
        text = "".join(map(chr, self.numbers))
        return repr(text if len(text) <= 150 else f"{text[:150]}..")


def read_model() -> tuple[dict[str, Any], Any]:
    """Read what the network takes and answers, and the network."""
    try:
        text = (FOLDER / "architecture.json").read_text(encoding="utf-8")
        description = json.loads(text)
        program = (FOLDER / "model.jax_export").read_bytes()
        exported = jax.export.deserialize(bytearray(program))
    except OSError as error:
        fail(
            f"{error.filename} cannot be read: {error.strerror}. Copy the whole folder."
        )
    except Exception as error:  # a damaged file makes its readers raise anything
        fail(
            f"the network in {FOLDER} cannot be read ({error!r:.200}). It is damaged, "
            f"or needs a JAX newer than {jax.__version__}."
        )
    return description, jax.jit(exported.call)


def next_logits(program: Any, tokens: list[int], length: int) -> np.ndarray:
    """Compute the float64 logits [V] of the token after the last one.

    Args:
      program: from int32 [1, T] to [1, T, V].
      tokens: at least one; of more than T the last T are read.
      length: T.
    """
    window = tokens[-length:]
    # No place sees those after it, so that what fills the window up does not matter.
    batch = np.zeros((1, length), np.int32)
    batch[0, : len(window)] = window
    try:
        logits = np.asarray(program(batch), np.float64)
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).partition("\n")[0]
        fail(
            f"the network cannot be run by JAX {jax.__version__} ({reason}). It may "
            "need a newer one: pip install --upgrade jax"
        )
    return logits[0, len(window) - 1]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Turn logits [V] into probabilities [V]."""
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def sample(
    program: Any, tokens: list[int], length: int, arguments: argparse.Namespace
) -> list[int]:
    """Write on, a token at a time; at temperature 0 always the most probable one."""
    rng, written = np.random.default_rng(arguments.seed), list(tokens)
    for _ in range(arguments.sample):
        logits = next_logits(program, written, length)
        if arguments.temperature == 0:
            written.append(int(logits.argmax()))
        else:
            shares = softmax(logits / arguments.temperature)
            written.append(int(rng.choice(len(shares), p=shares)))
    return written[len(tokens) :]


def read_text(arguments: argparse.Namespace) -> str:
    """Give the text that was handed over, or that a file holds."""
    if (arguments.text is None) == (arguments.file is None):
        fail('give either a text, as in predict.py "Some text", or --file FILE.')
    if arguments.file is None:
        text, where = arguments.text, "the text"
    else:
        where = str(arguments.file)
        try:
            text = arguments.file.read_bytes().decode("utf-8").removeprefix("\ufeff")
        except OSError as error:
            fail(f"{where}: cannot be read: {error.strerror}.")
        except UnicodeDecodeError as error:
            fail(f"{where}: is not UTF-8 at byte {error.start}.")
    if not text:
        fail(f"{where} is empty. Give at least one character.")
    return text


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Say how a text goes on.")
    parser.add_argument("text", nargs="?", metavar="TEXT")
    parser.add_argument("--file", type=Path, help="a text file, instead of TEXT")
    parser.add_argument("--top", type=int, default=5, help="tokens to print (5)")
    parser.add_argument(
        "--sample", type=int, default=0, metavar="N", help="write N tokens on"
    )
    parser.add_argument(
        "--temperature", type=float, default=1.0, help="of sampling; 0: greedy (1)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of sampling (0)")
    arguments = parser.parse_args()
    if arguments.sample < 0 or arguments.temperature < 0 or arguments.seed < 0:
        fail("--sample, --temperature and --seed must be 0 or more.")
    return arguments


def main() -> None:
    """Print the most probable next tokens, or the text as it goes on."""
    arguments = read_arguments()
    text = read_text(arguments)
    description, program = read_model()
    spec, content = description["input"], description["preprocessing"]
    if spec["kind"] != "tokens" or content["unit"] not in UNITS:
        fail("the network does not take the characters or bytes of a text.")
    tokenizer = Tokenizer(content["unit"], content["vocabulary"])
    tokens, (length,) = tokenizer.encode(text), spec["shape"]
    if arguments.sample:
        print(text + tokenizer.decode(sample(program, tokens, length, arguments)))
        return
    shares = softmax(next_logits(program, tokens, length))
    names = description["class_names"]
    for i in np.argsort(-shares, kind="stable")[: max(arguments.top, 1)]:
        print(f"{names[i]}\t{shares[i]:.4f}")


if __name__ == "__main__":
    main()
