"""How messages are cleaned, where there is a choice.

Belongs here: the choices and the version that tables depend on. Does not belong here: cleaning (``messages``).
"""

from __future__ import annotations

from collections.abc import Mapping
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
    def versions(self) -> Mapping[str, str]:
        """Name what the clean tables depend on beside code and rows, apart from the meaning of outcomes."""
        return {"redaction of personal data": self.privacy.version, "language detector": self.detector}

    @property
    def outcome_versions(self) -> Mapping[str, str]:
        """Name what ``conversations`` depends on further; messages do not depend on outcomes."""
        return {"meaning of outcomes": self.outcomes.version} if self.outcomes.version else {}


DEFAULT_CLEANING = Cleaning()
