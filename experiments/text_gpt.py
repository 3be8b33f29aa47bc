"""Language models of a text, entangled: the whole job on a laptop, on your own text.

Question: how wide and how deep, with how many heads and how large an MLP in each block,
for the least loss at a given number of parameters, character by character?

Source: the decisions are those of the language-model spaces of Sukthanker et al.
(AutoML-Conf 2024, arXiv 2312.10440), at sizes for two CPU cores: at most three blocks
of 48 units, 2,457 architectures. A head has one size (see `supernets.language_model`).
Training follows single-path one-shot (Guo et al. 2020, arXiv 1904.00420) and the search
is NSGA-II (Deb et al. 2002), for negative log-likelihood against parameters.

Data: unless told otherwise the documentation that comes with Python
(`pydoc_data.topics`), which differs a little between releases of Python: each paragraph
once, 373,292 characters in Python 3.11. The first three fifths train, the next fifth is
searched by, the last is the report; the splits share no character.

Commands:
  nas run text_gpt
  nas run text_gpt --data.path book.txt --data.length 128
  nas run text_gpt --data.path book.txt --data.level byte
  python runs/text_gpt/subnets/ID/predict.py "The value of" --sample 200

Expected time: about 3 minutes on 2 CPU cores.

Result (2 cores of an AMD EPYC, JAX 0.10.2, 2026-11-21): 2 min 59 s of CPU time,
compiling included; 4 min 40 s by the clock, as other work kept both cores busy. Five
members between 4,400 and 70,896 parameters, with losses of 2.41 to 2.01 nats (3.48 to
2.90 bits) a character on the report split, and errors of 63.7 % to 54.7 % whose
intervals over windows, about 1 % to either side, overlap between neighbours only. The
search split is another part of the text and harder: 2.15 nats at best. As a measure of
how short the training is, tables that count the pairs, triples and quadruples of the
training characters (smoothed as suits the report split best) reach 2.43, 1.89 and 1.68
nats on the report split.
"""

from nas import Experiment, Export, Training
from nas.data import TextFile
from nas.evaluation import Evaluation
from nas.search import NSGA2, Search
from nas.training.optimizer import AdamW
from search_spaces.language_model import language_model
from supernets import LanguageModelSupernet

experiment = Experiment(
    name="text_gpt",
    supernet=LanguageModelSupernet(
        space=language_model("gpt_small", (16, 32, 48), (1, 2, 3), (1, 2, 4), (1, 2, 4))
    ),
    data=TextFile(length=64),
    optimizer=AdamW(learning_rate=4e-3, weight_decay=0.1, warmup_steps=100),
    training=Training(steps=3000, batch_size=16, checkpoint_every=1000),
    evaluation=Evaluation(batch_size=64),
    search=Search(NSGA2(population=16), objectives=("nll", "params"), evaluations=64),
    export=Export(most=5),
)
