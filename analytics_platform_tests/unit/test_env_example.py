"""``.env.example`` tells of every setting, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.settings.env_example import env_example
from analytics_platform.settings.loader import PROJECT_ROOT, Settings, environment_name, load_settings


def test_the_file_is_what_the_settings_say_it_is() -> None:
    stored = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    assert stored == env_example(), "run `make env-example`"


def test_every_variable_is_shown_once_and_commented_out() -> None:
    shown = [line.partition("=")[0] for line in env_example().splitlines() if line and not line.startswith("# ")]
    assert sorted(shown) == sorted(f"#{environment_name(field)}" for field in Settings.model_fields)


def test_the_file_names_no_path_of_the_machine_that_made_it() -> None:
    assert str(PROJECT_ROOT) not in env_example()


def test_uncommented_as_it_is_it_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT_ROOT)  # where the relative default of the dbt project holds
    default = load_settings()
    uncommented = tmp_path / "env"
    uncommented.write_text("\n".join(line.removeprefix("#") for line in env_example().splitlines() if "=" in line))
    monkeypatch.setitem(Settings.model_config, "env_file", uncommented)
    assert load_settings() == default
