"""The insight engine as a resource: with the promoted model when there is one for the current taxonomy.

Belongs here: that choice. Does not belong here: how models are made and judged (``insights``), when one is promoted
(``learning``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa

from analytics_platform.insights.engine import InsightEngine, build_engine
from analytics_platform.insights.heads.label_model import LabelModel, fit_model
from analytics_platform.model import Table
from analytics_platform.model.learning_tables import MODEL_EVALUATION, PROMOTED_MODEL
from analytics_platform.storage.partitions import PartitionStore


class Insights:
    """The insight engine, built at its first use: it looks for a promoted model, loads vectors and fits heads.

    What is promoted is looked up once, so that a run sees one state of it; each run has an ``Insights`` of its own.

    Args:
        tier: Name of the tier.
        device: Where it computes.
        taxonomy: YAML file of labels; the one shipped when None.
        lake: Where models are kept.
    """

    def __init__(
        self,
        tier: str,
        device: Literal["auto", "cpu", "gpu"],
        taxonomy: Path | None,
        lake: Callable[[], PartitionStore],
    ) -> None:
        self._tier = tier
        self._device = device
        self._taxonomy = taxonomy
        self._lake = lake

    @property
    def reads(self) -> bool:
        """Whether a transformer reads texts."""
        return self._tier in ("cascade", "transformer")

    @cached_property
    def engine(self) -> InsightEngine:
        """The engine that labels."""
        return self.engine_of(self.promoted) if self.promoted else self.default_engine

    @cached_property
    def default_engine(self) -> InsightEngine:
        """The engine with the default heads."""
        return build_engine(self._tier, self._device, self._taxonomy)

    @cached_property
    def default_model(self) -> LabelModel:
        """The default heads as a model."""
        return fit_model(self.default_engine.encoder, self.default_engine.taxonomy)

    @cached_property
    def promoted(self) -> LabelModel | None:
        """The promoted model, if it fits taxonomy and encoder; without corrections it is the default heads, so None."""
        stored = self._stored(PROMOTED_MODEL)
        if not stored.num_rows:
            return None
        model = LabelModel(stored["content"][0].as_py())
        fits = model.fits(self.default_engine.taxonomy, self.default_engine.encoder)
        return model if fits and model.corrections else None

    @property
    def evaluations(self) -> pa.Table:
        """Every evaluation so far, ``MODEL_EVALUATION``."""
        stored = self._stored(MODEL_EVALUATION)  # perhaps from before a column was
        return pa.concat_tables([MODEL_EVALUATION.empty(), stored], promote_options="default")

    def engine_of(self, model: LabelModel) -> InsightEngine:
        """Return the engine with another model."""
        return build_engine(self._tier, self._device, self._taxonomy, model)

    def _stored(self, table: Table) -> pa.Table:
        store = self._lake()
        return store.read(table.name, "") if store.info(table.name, "") else table.empty()
