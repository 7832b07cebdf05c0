"""The selection of assets of a run, in Dagster's syntax."""

from __future__ import annotations

from difflib import get_close_matches

import dagster as dg

from analytics_platform.defs.assets import learning_assets
from analytics_platform.errors import UserError


def selected_assets(definitions: dg.Definitions, select: str) -> list[dg.AssetKey]:
    """Return the keys of the everyday assets that a selection names, ascending.

    Raises:
        UserError: If the text is no selection, or selects no everyday asset.
    """
    graph = definitions.resolve_asset_graph()
    try:
        keys = dg.AssetSelection.from_string(select).resolve(graph)
    except dg.DagsterError as error:
        names = {key.to_user_string() for key in graph.get_all_asset_keys()}
        near = get_close_matches(select.rpartition(":")[2].strip("*+'\""), sorted(names), n=1)
        meant = f"did you mean {near[0]}?" if near else "write it like 'group:clean or +key:daily_metrics'"
        raise UserError(f"--select {select!r}: names no asset of the graph, or is no selection; {meant}") from error
    keys &= graph.materializable_asset_keys & learning_assets.EVERYDAY.resolve(graph)
    if not keys:
        raise UserError(
            f"--select {select!r}: selects no asset that `run` computes (`analytics train` runs the group learning)"
        )
    return sorted(keys)
