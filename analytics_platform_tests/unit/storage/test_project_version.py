"""The version of a dbt project follows what it computes and tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_platform.storage.warehouse.project_version import project_version

FILES = {
    "dbt_project.yml": "name: one  # the project\nvars: {meta: 1}\n",
    "models/fct.sql": (
        "{# It's the fact. #}\nselect id, /* twice */ 2 * v as v, 'a -- b' as t -- the end\n"
        "from {{ ref('stg') }} where p = '{{ var(\"x\") | replace(\"'\", \"''\") }}/x'"
    ),
    "models/fct.yml": (
        "models:\n  - name: fct\n    description: The fact.\n    config: {materialized: table, meta: {owner: a}}\n"
        "    columns:\n      - name: id\n        description: 'The key.'\n        data_tests:\n          - unique\n"
        "          - accepted_values: {arguments: {values: [a], meta: 1}}\n"
    ),
    "models/notes.md": "{% docs fct %} The fact. {% enddocs %}",
    "macros/twice.sql": "{% macro twice(x) -%} 2 * {{ x }} {%- endmacro %}",
}


def version_of(folder: Path, **edit: tuple[str, str]) -> str:
    """Return the version of a project with some files edited."""
    for name, content in FILES.items():
        before, after = edit.get(name, ("", ""))
        assert before in content
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content.replace(before, after, 1) if before else content)
    return project_version(folder)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("dbt_project.yml", "the project", "this project"),
        ("models/fct.sql", "It's the fact", "It is the fact"),
        ("models/fct.sql", "/* twice */", ""),
        ("models/fct.sql", "-- the end\nfrom", "\n\n    from"),
        ("models/fct.sql", "{{ ref('stg') }}", "{{ref( 'stg' )}}"),
        ("models/fct.yml", "The fact.", "A fact."),
        ("models/fct.yml", "owner: a", "owner: b"),
        ("models/fct.yml", "        description: 'The key.'\n", ""),
        ("models/notes.md", "The fact.", "A fact."),
    ],
)
def test_prose_and_layout_leave_the_version(tmp_path: Path, name: str, before: str, after: str) -> None:
    """A reworded description built the warehouse of all days anew."""
    assert version_of(tmp_path / "b", **{name: (before, after)}) == version_of(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("dbt_project.yml", "meta: 1", "meta: 2"),
        ("models/fct.sql", "2 * v", "3 * v"),
        ("models/fct.sql", "'a -- b'", "'a -- c'"),
        ("models/fct.sql", "'a -- b'", "'a  -- b'"),
        ("models/fct.sql", "ref('stg')", "ref('stg2')"),
        ("models/fct.sql", "}}/x", "}}/y"),
        ("models/fct.yml", "unique", "not_null"),
        ("models/fct.yml", "table", "view"),
        ("models/fct.yml", "meta: 1", "meta: 2"),
        ("models/fct.yml", "values: [a]", "values: [b]"),
        ("macros/twice.sql", "2 *", "3 *"),
        ("macros/twice.sql", "{%- endmacro %}", "{%- endmacro"),
    ],
)
def test_what_dbt_computes_tests_or_refuses_changes_the_version(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    assert version_of(tmp_path / "b", **{name: (before, after)}) != version_of(tmp_path / "a")


def test_descriptions_count_where_dbt_writes_them_into_the_warehouse(tmp_path: Path) -> None:
    persisted = ("name: one", "name: one\nmodels: {+persist_docs: {columns: true}}")
    edited = version_of(tmp_path / "b", **{"dbt_project.yml": persisted, "models/fct.yml": ("The fact.", "A fact.")})
    assert edited != version_of(tmp_path / "a", **{"dbt_project.yml": persisted})
