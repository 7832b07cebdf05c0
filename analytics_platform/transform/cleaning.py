"""How messages are cleaned, where there is a choice.

Belongs here: the choices and the version that tables depend on. Does not belong here: cleaning (``messages``).
"""

from __future__ import annotations

from dataclasses import dataclass

from analytics_platform.transform.language import Detector
from analytics_platform.transform.outcomes import KNOWN_TO_EVERYBODY, Outcomes
from analytics_platform.transform.privacy import DEFAULT_PRIVACY, Privacy


@dataclass(frozen=True)
class Cleaning:
    """The choices.

    Attributes:
        privacy: What is taken out of texts, whether it is kept sealed, and whether users get pseudonyms.
        detector: Which language detector reads the texts.
        outcomes: Which stated outcomes are successes, which failures.
    """

    privacy: Privacy = DEFAULT_PRIVACY
    detector: Detector = "fast"
    outcomes: Outcomes = KNOWN_TO_EVERYBODY

    @property
    def version(self) -> str:
        """What else than code and rows the clean tables depend on, apart from what outcomes mean."""
        return f"{self.privacy.version} {self.detector}"

    @property
    def conversations_version(self) -> str:
        """What else than code and rows ``conversations`` depends on; messages do not depend on outcomes."""
        return f"{self.version} {self.outcomes.version}".rstrip()


DEFAULT_CLEANING = Cleaning()
