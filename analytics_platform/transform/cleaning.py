"""How messages are cleaned, where there is a choice.

Belongs here: the choices and the version that tables depend on. Does not belong here: cleaning (``messages``).
"""

from __future__ import annotations

from dataclasses import dataclass

from analytics_platform.transform.language import Detector
from analytics_platform.transform.privacy import DEFAULT_PRIVACY, Privacy


@dataclass(frozen=True)
class Cleaning:
    """The choices.

    Attributes:
        privacy: What is taken out of texts, whether it is kept sealed, and whether users get pseudonyms.
        detector: Which language detector reads the texts.
    """

    privacy: Privacy = DEFAULT_PRIVACY
    detector: Detector = "fast"

    @property
    def version(self) -> str:
        """What else than code and rows the clean tables depend on."""
        return f"{self.privacy.version} {self.detector}"


DEFAULT_CLEANING = Cleaning()
