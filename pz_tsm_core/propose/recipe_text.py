"""The text of a recipe: every choice it has, its value, and what was seen of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pz_tsm_core.errors import Code
from pz_tsm_core.files import read_document
from pz_tsm_core.model.artifact import Value
from pz_tsm_core.model.combining import CombinePolicy
from pz_tsm_core.model.photometry import PhotometryPolicy, SelectPolicy
from pz_tsm_core.model.policy import (
    ClusterPolicy,
    Dereddening,
    MatchPolicy,
    OutputPolicy,
    PartitionPolicy,
    SplitPolicy,
    StandardizePolicy,
)
from pz_tsm_core.propose.catalog import Sky
from pz_tsm_core.propose.entry import Entry
from pz_tsm_core.propose.findings import Finding, by_key
from pz_tsm_core.propose.look import Origin
from pz_tsm_core.propose.writing import written
from pz_tsm_core.releases import release_keys

#: Sections that stand before the catalog, as the stages do.
_FIRST = ("standardize", "combine", "partition")
#: Of a table's name, in the name of the result.
_LONGEST = 48


@dataclass(frozen=True)
class Draft:
    """Everything that a recipe is written from.

    Parameters
    ----------
    origin : of the table
    target : the recipe
    findings : on the table, and on the catalogue if there is one
    survey_path : folder of the definition of the survey, where it is one of the user's own
    """

    origin: Origin
    target: Path
    name: str
    entry: Entry
    findings: tuple[Finding, ...]
    sky: Sky | None
    survey_path: Path | None = None

    @property
    def result(self) -> str:
        """Name of what the recipe makes; a table of the store keeps its own."""
        return f"{self.name[:_LONGEST]}_{'training_set' if self.sky else 'compilation'}"

    @property
    def definition_file(self) -> Path | None:
        """Where the definition goes, if the table needs one: beside the recipe."""
        if self.entry.definition is None:
            return None
        return self.target.with_name(f"{self.name}.survey.yaml")

    def path(self, path: Path) -> str:
        """A path as the recipe has it, from its folder; never one that means somebody's home."""
        root = self.target.parent.resolve()
        text = Path(os.path.relpath(path, root)).as_posix()
        return f"../{root.name}/{text}" if text.startswith("~") else text


def recipe_text(draft: Draft) -> str:
    """The recipe as YAML, with comments."""
    entry, told = draft.entry, by_key(draft.findings)
    sections = {name: _section(name, policy, told) for name, policy in _policies(draft).items()}
    definition = draft.definition_file
    return written(
        "recipe.yaml.jinja", label=draft.origin.label, name=draft.name, kind=entry.kind,
        result=draft.result,
        file=draft.path(draft.origin.file) if draft.origin.file else None, survey=entry.name,
        survey_path=draft.path(draft.survey_path) if draft.survey_path else None,
        definition=definition.name if definition else None, columns=entry.columns,
        instrument_type=entry.instrument_type.value, findings=told,
        checks=[finding for finding in draft.findings if finding.check],
        catalog=_catalog(draft), releases=release_keys(),
        before=[sections[name] for name in _FIRST],
        after=[section for name, section in sections.items() if name not in _FIRST],
    )


def _catalog(draft: Draft) -> dict[str, Any] | None:
    if draft.sky is None:
        return None
    own = draft.sky.profile
    return {"path": draft.path(draft.sky.path),
            "release": draft.path(own) if own else draft.sky.release.key,
            "public": draft.sky.public}


def _policies(draft: Draft) -> dict[str, Value]:
    """Every choice of a recipe: its default, or what follows from the table and the catalogue."""
    bad = "drop" if by_key(draft.findings)["bad_positions"] else "refuse"
    return {
        "standardize": StandardizePolicy.model_validate({"bad_positions": bad}),
        "combine": CombinePolicy(), "partition": PartitionPolicy(), "match": MatchPolicy(),
        "photometry": _photometry(draft), "select": SelectPolicy(), "split": SplitPolicy(),
        "output": OutputPolicy.model_validate({"directory": draft.result}),
        "cluster": ClusterPolicy(),
    }


def _photometry(draft: Draft) -> PhotometryPolicy:
    if draft.sky is None:
        return PhotometryPolicy()
    dust = Dereddening(map="none")
    if draft.sky.dust and not draft.sky.release.dereddened:
        dust = Dereddening(map="sfd", directory=draft.path(draft.sky.dust))
    return PhotometryPolicy.model_validate(
        {"flux": draft.sky.flux, "bands": draft.sky.bands, "dereddening": dust})


def _section(name: str, policy: Value, told: dict[str, list[Finding]]) -> dict[str, Any]:
    """A section of the recipe with what is said of every key."""
    about = dict(_meanings()[name])
    for key in about.keys() & told.keys():
        words = [about[key], *("CHECK: " * finding.check + finding.text for finding in told[key])]
        about[key] = "; ".join(words)
    return {"name": name, "about": about, "values": policy.model_dump(mode="json")}


@lru_cache(maxsize=1)
def _meanings() -> dict[str, dict[str, str]]:
    file = files(__package__) / "policies.yaml"
    return dict(read_document(file, code=Code.INTERNAL).content)
