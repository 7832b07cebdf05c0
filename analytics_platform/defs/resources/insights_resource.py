"""The insight engine as a resource, with the promoted model if one fits the current taxonomy and encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from analytics_platform.insights.heads.label_model import LabelModel, make_model
from analytics_platform.insights.learning.training_files import NOTHING, Training
from analytics_platform.insights.taxonomies.taxonomy import Taxonomy, TaxonomyParts, load_taxonomy
from analytics_platform.insights.tiers.label_versions import label_versions, static_version
from analytics_platform.insights.vectors.static_multilingual import ENCODER_NAME
from analytics_platform.model import Table
from analytics_platform.model.tables.learning_tables import MODEL_EVALUATION, PROMOTED_MODEL
from analytics_platform.storage.partitions import PartitionStore

if TYPE_CHECKING:
    from analytics_platform.insights.engine import InsightEngine


class Insights:
    """The insight engine, built at its first use: it looks for a promoted model, loads vectors and fits heads.

    The promoted model is looked up once per object, and each run has an object of its own, so a run sees one model.

    Args:
        tier: Name of the tier.
        device: Device of the computation.
        taxonomy: Packs and files of labels, combined in this order; the demo's pack when None.
        lake: Returns the store of the models.
        training: Returns the labelled files, which teach beside the taxonomy; called at first use.
        kept: Folder of fitted classifiers; None to keep none.
    """

    def __init__(
        self,
        tier: str,
        device: Literal["auto", "cpu", "gpu"],
        taxonomy: TaxonomyParts | None,
        lake: Callable[[], PartitionStore],
        training: Callable[[], Training] = lambda: NOTHING,
        kept: Path | None = None,
    ) -> None:
        self._tier = tier
        self._device = device
        self._taxonomy = taxonomy
        self._lake = lake
        self._read_training = training
        self._kept = kept

    @cached_property
    def training(self) -> Training:
        """The labelled files.

        Raises:
            LabelFileError: If a file cannot be used.
        """
        return self._read_training()

    @property
    def reads(self) -> bool:
        """Whether the tier has a transformer, which reads the texts themselves."""
        return self._tier in ("cascade", "transformer")

    @cached_property
    def engine(self) -> InsightEngine:
        """The engine that labels: with the promoted model, or with the default heads if there is none."""
        return self.engine_of(self.promoted) if self.promoted else self.default_engine

    @cached_property
    def default_engine(self) -> InsightEngine:
        """The engine with the default heads."""
        return self._build(None, self.training)

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """The versions that the labels depend on, by name, as ``engine.versions``.

        The engine of the tier ``static`` is not built for them. A transformer is loaded in any case, before a command
        begins, and names itself.
        """
        if self.reads:
            return self.engine.versions
        version = static_version(self._content, self.promoted, self.training)
        return label_versions(self._tier, version, self._content, self.training)

    @cached_property
    def _content(self) -> Taxonomy:
        return load_taxonomy(self._taxonomy)

    @cached_property
    def default_model(self) -> LabelModel:
        """The default heads as a model."""
        return make_model(self.default_engine.encoder, self.default_engine.taxonomy)

    @cached_property
    def promoted(self) -> LabelModel | None:
        """The promoted model; None if it does not fit taxonomy and encoder, or learnt from no corrections.

        A model without corrections equals the default heads.
        """
        stored = self._stored(PROMOTED_MODEL)
        if not stored.num_rows:
            return None
        model = LabelModel(stored["content"][0].as_py())
        fits = model.fits(self._content, ENCODER_NAME)
        return model if fits and model.corrections else None

    @property
    def evaluations(self) -> pa.Table:
        """All stored evaluations, ``MODEL_EVALUATION``."""
        stored = self._stored(MODEL_EVALUATION)  # an older table may lack a column
        return pa.concat_tables([MODEL_EVALUATION.empty(), stored], promote_options="default")

    def engine_of(self, model: LabelModel) -> InsightEngine:
        """Return the engine with the given model."""
        return self._build(model, self.training)

    def judged_engine_of(self, model: LabelModel) -> InsightEngine:
        """Return the engine by which a model is evaluated: it has not learnt the texts that the gold labels are of."""
        if not self.training.teaches:
            return self.engine_of(model)
        return self._build(model, self.training.without_held_out())

    def _build(self, model: LabelModel | None, training: Training) -> InsightEngine:
        # Half a second of imports, which only labelling needs.
        from analytics_platform.insights.engine import build_engine  # noqa: PLC0415
        from analytics_platform.insights.keeping.kept_classifiers import KeptClassifiers  # noqa: PLC0415

        kept = KeptClassifiers(self._kept)
        return build_engine(self._tier, self._device, self._taxonomy, model, training, kept)

    def _stored(self, table: Table) -> pa.Table:
        store = self._lake()
        return store.read(table.name, "") if store.info(table.name, "") else table.empty()
