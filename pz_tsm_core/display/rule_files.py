"""What the rule files of the existing pipeline say, for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pz_tsm_core.display.page import Cell, Grid
from pz_tsm_core.legacy import Block, Output, RuleFile

_RIGHT = frozenset({"surveys", "values", "expressions"})


def rule_file_grids(files: Mapping[Path, RuleFile]) -> dict[str, Grid]:
    """A line for each file, and for each of its surveys; every expression has a translation."""
    lines = tuple(_file(path, file) for path, file in files.items())
    grids = {"rule files": Grid("rule files of the existing pipeline, all expressions translated",
                                ("file", "dialect", "surveys", "expressions"), lines, _RIGHT)}
    for path, file in files.items():
        rows = tuple(_survey(name, blocks) for name, blocks in file.rules.items())
        grids[f"{path}: surveys"] = Grid(
            str(path), ("survey", "decides", "values", "expressions", "reads"), rows, _RIGHT)
    return grids


def _file(path: Path, file: RuleFile) -> tuple[Cell, ...]:
    expressions = sum(len(block.conditions) for blocks in file.rules.values()
                      for block in blocks.values())
    return str(path), str(file.dialect), len(file.rules), expressions


def _survey(name: str, blocks: Mapping[Output, Block]) -> tuple[Cell, ...]:
    values = sum(len(block.values) for block in blocks.values())
    expressions = sum(len(block.conditions) for block in blocks.values())
    reads = frozenset[str]().union(*map(_reads, blocks.values()))
    return name, list(map(str, blocks)), values, expressions, sorted(reads)


def _reads(block: Block) -> frozenset[str]:
    """Columns that decide something: of a block with a default alone there are none."""
    source = {block.source} if block.values else set[str]()
    return frozenset(source).union(*(each.columns for each in block.conditions))
