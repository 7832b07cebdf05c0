"""The taxonomy's YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import yaml

from analytics_platform.errors import UserError
from analytics_platform.system.yaml_file import SAFE_LOADER, YamlFile


class TaxonomyError(UserError, ValueError):
    """The taxonomy file is wrong; each fault names file, line and remedy."""


class _DatesAsTexts(SAFE_LOADER):  # type: ignore[misc,valid-type]
    """YAML loader that reads dates as texts, because they are quotations of what people say."""


_DatesAsTexts.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


class TaxonomyFile(YamlFile):
    """A parsed taxonomy file."""

    root_name = "taxonomy"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises:
            TaxonomyError: If the file cannot be read, is not YAML, or repeats a key.
        """
        return cls.parse(path, TaxonomyError, _DatesAsTexts)
