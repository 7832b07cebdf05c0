"""Classifiers that were fitted once are kept in a folder, because a fit takes seconds in every process.

A file is named by the hash of everything that the fit depends on, so that a change of any of it gives another file. The
files that were not used for longest are removed. A damaged file is made again.

A fit on labelled files keeps words of their texts, and no whole text. Its file is removed as soon as a classifier is
asked for that learns from other labelled files or from none, so that a text that a person deletes from a labelled file
leaves no word.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from analytics_platform.errors import UserError
from analytics_platform.files import write_atomically
from analytics_platform.insights.encoders.device import CPU, Device
from analytics_platform.insights.heads.classifier import Classifier, Reads
from analytics_platform.insights.heads.novelty import Novelty
from analytics_platform.insights.heads.routing import Route
from analytics_platform.insights.heads.stacking import Calibration, Stack
from analytics_platform.insights.heads.stages import Ladder, Stage
from analytics_platform.insights.heads.training_set import TrainingSet
from analytics_platform.insights.keeping.packing import DamagedStateError, pack, unpack
from analytics_platform.insights.tiers.tier import Kind
from analytics_platform.insights.vectors.static_multilingual import StaticEncoder
from analytics_platform.insights.vectors.text_encoder import TextEncoder

logger = logging.getLogger(__name__)

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "pyarrow", "tokenizers")
"""Libraries that compute a fit."""
_CLASSES = (Ladder, Stage, Stack, Novelty, Route, Calibration)
_ENDING = ".safetensors"
_LABELLED = "-labelled-"
"""Part of a file's name before the hash of the labelled files that it learnt from."""
MOST_FILES = 12
"""Most files of a folder: topics and intents of the taxonomies, tiers and models that were used last."""
_WAIT_SECONDS = 120.0
"""Seconds that a process waits for another one that fits, before it fits by itself."""


@dataclass(frozen=True)
class KeptClassifiers:
    """The folder of fitted classifiers; safe to share between threads and processes.

    Attributes:
        folder: The folder; None to keep nothing.
    """

    folder: Path | None = None

    def of_kinds(
        self,
        encoder: StaticEncoder,
        kinds: Iterable[Kind],
        learn: Callable[[], Mapping[Kind, TrainingSet]],
        version: str,
        *,
        labelled: str = "",
        transformer: TextEncoder | None = None,
        reads: Reads = "nothing",
        device: Device = CPU,
    ) -> dict[Kind, Classifier]:
        """Return the fitted classifier of each kind of label.

        Args:
            encoder: As for ``Classifier``.
            kinds: The kinds.
            learn: Returns the training set of each kind; called at most once, and only to fit.
            version: Version of the labels, on which the fits depend.
            labelled: As for ``classifier``.
            transformer: As for ``Classifier``.
            reads: As for ``Classifier``.
            device: As for ``Classifier``.
        """
        every = cache(learn)
        return {
            kind: self.classifier(
                encoder, partial(_training_set, every, kind), (version, kind), labelled=labelled,
                transformer=transformer, reads=reads, device=device,
            )
            for kind in kinds
        }  # fmt: skip

    def classifier(
        self,
        encoder: StaticEncoder,
        training_set: Callable[[], TrainingSet],
        depends_on: Sequence[str],
        *,
        labelled: str = "",
        transformer: TextEncoder | None = None,
        reads: Reads = "nothing",
        device: Device = CPU,
    ) -> Classifier:
        """Return a fitted classifier: the kept one of the same fit, or a new one, which is kept.

        Args:
            encoder: As for ``Classifier``.
            training_set: Returns the training set; called only to fit.
            depends_on: Everything that the training set and the fit depend on, apart from libraries and device.
            labelled: Version of the labelled files that the training set has texts of; empty for none.
            transformer: As for ``Classifier``.
            reads: As for ``Classifier``.
            device: As for ``Classifier``.
        """

        def fit() -> Classifier:
            return Classifier(encoder, training_set(), transformer=transformer, reads=reads, device=device)

        if self.folder is None:
            return fit()
        ending = f"{_LABELLED}{_hash(labelled)}{_ENDING}" if labelled else _ENDING
        path = self.folder / f"{_hash(*depends_on, labelled, reads, device.name, *_machine())}{ending}"
        _remove_other_labelled(self.folder, ending)
        if path.exists() and (kept := _read(path, encoder, transformer, device)):
            return kept
        with _alone(self.folder):
            if path.exists() and (kept := _read(path, encoder, transformer, device)):  # another process fitted it
                return kept
            fitted = fit()
            _keep(path, fitted)
        return fitted


def _training_set(every: Callable[[], Mapping[Kind, TrainingSet]], kind: Kind) -> TrainingSet:
    return every()[kind]


def _remove_other_labelled(folder: Path, ending: str) -> None:
    """Remove the files that learnt from labelled files, except those whose name has the ending."""
    with contextlib.suppress(OSError):  # a home that this user may only read
        for file in folder.glob(f"*{_LABELLED}*"):
            if not file.name.endswith(ending) or ending == _ENDING:
                file.unlink(missing_ok=True)


NOT_KEPT = KeptClassifiers()
"""Every process fits."""


def _hash(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@cache
def _machine() -> tuple[str, ...]:
    """Return the versions of libraries and Python, and the kind of processor: a fit's last digits depend on them."""
    return (*(f"{name} {version(name)}" for name in _LIBRARIES), platform.python_version(), platform.machine())


def _read(path: Path, encoder: StaticEncoder, transformer: TextEncoder | None, device: Device) -> Classifier | None:
    """Return the classifier of a file; None if the file is damaged, or another process has just removed it."""
    try:
        state = unpack(path.read_bytes(), _CLASSES)
        classifier = Classifier.of_state(encoder, state, transformer=transformer, device=device)
    except (OSError, DamagedStateError, LookupError, TypeError) as error:
        logger.info("%s is made again: %s", path, error)
        return None
    with contextlib.suppress(OSError):  # a home that this user may only read
        os.utime(path)  # so that files that are used stay
    return classifier


def _keep(path: Path, fitted: Classifier) -> None:
    """Write a file, and remove the files that were not used for longest; a failure is logged and costs another fit."""
    try:
        write_atomically(path, pack(fitted.state))
        files = sorted(path.parent.glob(f"*{_ENDING}"), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[MOST_FILES:]:
            old.unlink(missing_ok=True)
    except (OSError, UserError) as error:  # a full disk, or a home that this user may only read
        logger.info("a fitted classifier is not kept: %s", error)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from fitting the same meanwhile; where no lock can be had, each fits for itself."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=_WAIT_SECONDS)
        lock.acquire()
    except (OSError, Timeout):
        yield
        return
    try:
        yield
    finally:
        lock.release()
