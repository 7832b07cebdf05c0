"""Train the name tagger: ``python training/names/train.py --slots A.parquet --plain B.parquet C.parquet``.

``--slots`` are texts in which a person's name was replaced by ``[NAME]`` (GoEmotions, CC BY 4.0), ``--plain`` texts
taken to hold no names (banking77, clinc150, Taskmaster, CC BY); both need a column ``text``. Names, companies, streets
and so on are drawn from Faker (MIT), sentences from ``templates.txt``. None of the texts or names is part of the
weights, and no evaluation data is read. The same inputs and seed give the same weights up to rounding.
Needs torch and Faker, which the platform does not.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from faker import Faker
from safetensors.numpy import save_file

from analytics_platform.transform.pii import tagger as tg

LOCALES = (  # noqa: SIM905
    "en_US en_GB en_IE en_AU en_NZ en_IN en_NG en_KE en_PK de_DE de_AT de_CH fr_FR fr_CH nl_NL nl_BE es_ES es_MX es_AR "
    "es_CL pt_BR pt_PT it_IT sv_SE no_NO da_DK fi_FI is_IS pl_PL cs_CZ sk_SK hu_HU ro_RO hr_HR sl_SI et_EE lv_LV lt_LT "
    "tr_TR id_ID vi_VN ru_RU uk_UA bg_BG el_GR az_AZ uz_UZ sw tw_GH yo_NG ga_IE sq_AL"
).split()
NATIONALITIES = (  # noqa: SIM905
    "American British German French Italian Spanish Dutch Swedish Norwegian Danish Finnish Polish Czech Hungarian "
    "Greek Turkish Russian Ukrainian Indian Chinese Japanese Korean Thai Mexican Brazilian Canadian Australian Irish "
    "Scottish Swiss Austrian Belgian Portuguese Icelandic Estonian Egyptian Lebanese Vietnamese"
).split()
OBJECTS = "iPhone MacBook Kindle PlayStation Xbox Samsung Ubuntu Windows Firefox Chrome Gmail Visa Toyota Tesla".split()  # noqa: SIM905
CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e e zh z i y k l m n o p r s t u f kh ts ch sh shch _ y _ e yu ya".replace("_", "").split(" "),
        strict=True,
    )
)
SLOT = re.compile(r"\[NAME\]|\{(\w+)\}")
DIMENSIONS, HIDDEN, DROPPED_WORDS = 24, 48, 0.35
Example = tuple[list[str], list[int]]


def latin(name: str) -> str:
    """Write a Cyrillic name in Latin letters."""
    written = "".join(CYRILLIC.get(letter, letter) for letter in name.lower())
    return " ".join(part[:1].upper() + part[1:] for part in written.split())


class Words:
    """Names and what looks like them, drawn from Faker; the pools of each kind are drawn once."""

    def __init__(self, seed: int, size: int = 600) -> None:
        self.random = random.Random(seed)
        Faker.seed(seed)
        self.pools: dict[str, list[str]] = {}
        for locale in LOCALES:
            fake = Faker(locale)
            self._fill("first", fake.first_name, size, locale)
            self._fill("last", fake.last_name, size, locale)
            self._fill("company", fake.company, size // 4, locale)
            self._fill("city", fake.city, size // 3, locale)
            self._fill("street", lambda fake=fake: fake.street_address().replace("\n", " "), size // 3, locale)
            self._fill("country", fake.country, size // 8, locale)
            self._fill("job", fake.job, size // 12, locale)
        fake = Faker("en_US")
        self._fill("weekday", fake.day_of_week, 40, "")
        self._fill("month", fake.month_name, 60, "")
        self._fill("date", fake.date, 200, "")
        self._fill("zip", fake.postcode, 300, "")
        self._fill("language", fake.language_name, 200, "")
        self._fill("bs", fake.bs, 400, "")
        self.pools |= {"nationality": NATIONALITIES, "object": OBJECTS}
        self.pools["number"] = [str(self.random.randrange(10 ** self.random.randint(1, 9))) for _ in range(300)]

    def _fill(self, kind: str, draw: object, size: int, locale: str) -> None:
        found = sorted({str(draw()) for _ in range(size)})  # type: ignore[operator]
        if locale == "ru_RU" or (locale == "uk_UA" and kind in {"first", "last"}):
            found += [latin(value) for value in found]
        self.pools.setdefault(kind, []).extend(found)

    def draw(self, kind: str) -> tuple[str, bool]:
        """Return a value of that kind, and whether it is a person's name."""
        if kind == "name":
            return self._name(), True
        if kind == "company" and self.random.random() < 0.25:  # brands are words, too
            words = self.random.choice(self.pools["bs"]).title().split()
            return " ".join(self.random.sample(words, min(2, len(words)))), False
        return self.random.choice(self.pools[kind]), kind in {"first", "last"}

    def _name(self) -> str:
        first, last = (self.random.choice(self.pools[kind]) for kind in ("first", "last"))
        roll = self.random.random()
        if roll < 0.22:
            return first
        if roll < 0.27:
            return last
        if roll < 0.34:
            return f"{first} {self.random.choice('ABCDEFGHIJKLMNOPRSTVW')}{self.random.choice(['.', ''])} {last}"
        if roll < 0.40:
            return f"{first} {self.random.choice(self.pools['first'])} {last}"
        if roll < 0.44:
            return f"{first} {last} {self.random.choice(self.pools['last'])}"
        return f"{first} {last}"

    def slot_name(self) -> str:
        """Return a name as people in chats write it: mostly one word."""
        if self.random.random() < 0.6:
            return self.random.choice(self.pools["first" if self.random.random() < 0.75 else "last"])
        return self._name()


def fill(text: str, words: Words) -> Example:
    """Fill the slots of a text; return its words and their labels."""
    tokens: list[str] = []
    labels: list[int] = []

    def add(piece: str, *, name: bool) -> None:
        found = tg.WORD.findall(piece)
        tokens.extend(found)
        labels.extend([tg.BEGIN if name and not i else tg.INSIDE if name else tg.OUTSIDE for i in range(len(found))])

    position = 0
    for slot in SLOT.finditer(text):
        add(text[position : slot.start()], name=False)
        value, is_name = words.draw(slot[1]) if slot[1] else (words.slot_name(), True)
        add(value, name=is_name)
        position = slot.end()
    add(text[position:], name=False)
    return tokens, labels


def vary(example: Example, generator: random.Random) -> Example:
    """Write some texts without capitals, some in capitals, and some line ends as spaces."""
    tokens, labels = example
    roll = generator.random()
    if roll < 0.12:
        tokens = [token.lower() for token in tokens]
    elif roll < 0.15:
        tokens = [token.upper() for token in tokens]
    if generator.random() < 0.5:
        kept = [i for i, token in enumerate(tokens) if not token.startswith("\n")]
        tokens, labels = [tokens[i] for i in kept], [labels[i] for i in kept]
    return tokens, labels


def examples(arguments: argparse.Namespace, words: Words) -> Iterator[Example]:
    """Yield the training texts."""
    lines = (Path(__file__).parent / "templates.txt").read_text("utf-8").splitlines()
    templates = [line.replace("\\n", "\n") for line in lines if line and not line.startswith("#")]
    for _ in range(arguments.templates):
        yield fill(words.random.choice(templates), words)
    for path in arguments.slots:
        for text in pq.read_table(path, columns=["text"])["text"].to_pylist():
            text = text.replace("{", "(").replace(
                "[RELIGION]", words.random.choice(["Christian", "Muslim", "Catholic", "Jewish"])
            )
            for _ in range(3 if "[NAME]" in text else 1):
                yield fill(text, words)
    for path in arguments.plain:
        texts = pq.read_table(path, columns=["text"])["text"].to_pylist()
        for text in words.random.sample(texts, min(len(texts), 15_000)):
            yield fill(text.replace("{", "(").replace("[NAME]", ""), words)


class Net(torch.nn.Module):
    """The tagger as a module."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(tg.BUCKETS, DIMENSIONS, mode="mean", padding_idx=0)
        torch.nn.init.normal_(self.embedding.weight, std=0.3)
        self.window = torch.nn.Linear((2 * tg.WINDOW + 1) * DIMENSIONS, HIDDEN)
        self.dropout = torch.nn.Dropout(0.2)
        self.output = torch.nn.Linear(HIDDEN, 3)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, 3) scores of (batch, window, ``FEATURES``) buckets."""
        if self.training:  # names not seen must be told by their spelling and their neighbours
            features = features.clone()
            features[..., 0] *= torch.rand(features.shape[:-1]) >= DROPPED_WORDS
        vectors = self.embedding(features.flatten(0, 1)).view(len(features), -1)
        return self.output(self.dropout(torch.relu(self.window(vectors))))


def train(data: list[Example], epochs: int, seed: int) -> Net:
    """Fit the network."""
    torch.manual_seed(seed)
    ids: dict[str, int] = {tg.PADDING: 0}
    windows, labels = [], []
    for tokens, gold in data:
        row = [0] * tg.WINDOW + [ids.setdefault(token, len(ids)) for token in tokens] + [0] * tg.WINDOW
        windows.append(np.lib.stride_tricks.sliding_window_view(np.array(row), 2 * tg.WINDOW + 1)[: len(tokens)])
        labels.append(np.array(gold, np.int64))
    features = torch.from_numpy(tg.feature_matrix(list(ids)).astype(np.int64))
    x, y = torch.from_numpy(np.concatenate(windows)), torch.from_numpy(np.concatenate(labels))
    print(f"{len(data)} texts, {len(y)} words, {len(ids)} distinct, {(y > 0).float().mean():.3f} in names")
    net = Net()
    batch = 2048
    steps = epochs * (len(y) // batch + 1)
    optimiser = torch.optim.Adam(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    for epoch in range(epochs):
        total = 0.0
        for chosen in torch.randperm(len(y)).split(batch):
            loss = torch.nn.functional.cross_entropy(net(features[x[chosen]]), y[chosen], label_smoothing=0.02)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item() * len(chosen)
        print(f"epoch {epoch + 1}: loss {total / len(y):.4f}", flush=True)
    return net.eval()


def save(net: Net, path: Path) -> None:
    """Write the weights: the embedding in one byte a number, the rest in two."""
    embedding = net.embedding.weight.detach().numpy().copy()
    embedding[0] = 0
    scale = np.float32(np.quantile(np.abs(embedding), 0.9999) / 127)
    window = net.window.weight.detach().numpy().reshape(HIDDEN, 2 * tg.WINDOW + 1, DIMENSIONS).transpose(1, 2, 0)
    arrays = {
        "embedding": np.clip(np.round(embedding / scale), -127, 127).astype(np.int8),
        "embedding_scale": np.array([scale]),
        "window": np.ascontiguousarray(window).astype(np.float16),
        "hidden_bias": net.window.bias.detach().numpy().astype(np.float16),
        "output": np.ascontiguousarray(net.output.weight.detach().numpy().T).astype(np.float16),
        "output_bias": net.output.bias.detach().numpy().astype(np.float16),
    }
    save_file(arrays, path, {"licence": "Apache-2.0", "made_by": "training/names/train.py"})


def main() -> None:
    """Draw, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slots", nargs="*", default=[], help="Parquet files with [NAME] in column text")
    parser.add_argument("--plain", nargs="*", default=[], help="Parquet files of texts without names")
    parser.add_argument("--templates", type=int, default=60_000, help="texts to draw from the templates")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(tg.__file__).parent / "names.safetensors")
    arguments = parser.parse_args()
    words = Words(arguments.seed)
    data = [vary(example, words.random) for example in examples(arguments, words) if example[0]]
    save(train(data, arguments.epochs, arguments.seed), arguments.out)


if __name__ == "__main__":
    main()
