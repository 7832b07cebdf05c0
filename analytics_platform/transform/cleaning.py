"""The options of cleaning messages, and the version strings by which tables depend on these options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analytics_platform.transform.language import Detector
from analytics_platform.transform.outcomes import KNOWN_TO_EVERYBODY, Outcomes
from analytics_platform.transform.privacy import DEFAULT_PRIVACY, Privacy


@dataclass(frozen=True)
class Cleaning:
    """The options of cleaning.

    Attributes:
        privacy: Which personal data is redacted, whether it is kept encrypted, and whether users get pseudonyms.
        detector: Which language detector reads the texts.
        outcomes: Which stated outcomes are successes, and which are failures.
    """

    privacy: Privacy = DEFAULT_PRIVACY
    detector: Detector = "fast"
    outcomes: Outcomes = KNOWN_TO_EVERYBODY

    @property
    def versions(self) -> Mapping[str, str]:
        """Version strings of the options that every clean table depends on; outcomes are not among them."""
        return {"redaction of personal data": self.privacy.version, "language detector": self.detector}

    @property
    def outcome_versions(self) -> Mapping[str, str]:
        """Version string of the meaning of outcomes, for ``conversations``; empty without words of the source."""
        return {"meaning of outcomes": self.outcomes.version} if self.outcomes.version else {}


DEFAULT_CLEANING = Cleaning()
