from __future__ import annotations

import pytest

from analytics_platform_tests.integration.nocodb import install


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("NOCODB_SERVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def test_a_machine_without_the_tools_is_told_what_to_install(bare_machine):
    with pytest.raises(install.UnavailableError, match=r"npm, c\+\+, make, python3 .*: npm, g\+\+, make, python3"):
        install.install()
    assert not (bare_machine / "cache").exists()


def test_missing_tools_are_an_error_in_ci_only(bare_machine, monkeypatch, capsys):
    for variables, code in (({}, 0), ({"CI": "true"}, 1)):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            install.main()
        assert int(ended.value.code) == code
        assert "the tests that need it are skipped" in capsys.readouterr().err


def test_the_lock_of_its_packages_names_no_registry():
    assert '"resolved"' not in (install.SERVER / "package-lock.json").read_text(encoding="utf-8")
