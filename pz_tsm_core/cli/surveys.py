"""`tsm surveys`: what recipes can name, and why its rows are what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from pz_tsm_core.cli import completion
from pz_tsm_core.cli.app import app
from pz_tsm_core.cli.help import shown
from pz_tsm_core.cli.options import (
    PrincipalOption,
    RightOption,
    StoreOption,
    SurveyPathOption,
    opened,
)
from pz_tsm_core.cli.table import print_page
from pz_tsm_core.errors import Code, TsmError, refuse

if TYPE_CHECKING:
    from pz_tsm_core.display.page import Page

Json = Annotated[bool, typer.Option("--json", help="JSON, for programs.")]
SurveyName = Annotated[str, typer.Argument(
    metavar="SURVEY", help="Key of a survey, or the YAML file of a definition.",
    show_default=False, autocompletion=completion.surveys)]


class ListsUnasked(TyperGroup):
    """`tsm surveys` alone is `tsm surveys list`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `list` before what names no command."""
        helped = {*ctx.help_option_names, "--help"}
        if not args or (args[0].startswith("-") and args[0] not in helped):
            args = ["list", *args]
        return super().parse_args(ctx, args)


surveys = typer.Typer(cls=ListsUnasked)
app.add_typer(surveys, name="surveys", help="List, search, show, check and explain surveys.",
              rich_help_panel=shown("surveys")["rich_help_panel"])


@surveys.command("list", **shown("surveys list"))
def list_(
    as_json: Json = False,  # noqa: FBT002 - typer calls it so
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """List the surveys that recipes can name.

    `tsm surveys` alone does it, too.
    """
    from pz_tsm_core.display.surveys import list_surveys

    at = opened(store, principal, right)
    print_page(list_surveys(survey_path=survey_path, store=at), as_json)


@surveys.command(**shown("surveys search"))
def search(  # noqa: PLR0917 - typer calls it by keywords
    words: Annotated[list[str] | None, typer.Argument(
        help="All of which stand in a key, name, facility, release or footprint.",
        show_default=False)] = None,
    at: Annotated[str | None, typer.Option(
        metavar="'RA DEC'", help="A position in the footprint: '150.1 2.2' in degrees, or "
        "'10:00:24 +02:12:00'.")] = None,
    radius: Annotated[float, typer.Option(
        help="Degrees around the position that the footprint must touch.")] = 0.0,
    z: Annotated[str | None, typer.Option(
        metavar="FROM:TO", help="Redshifts that the survey's own must touch.")] = None,
    type_: Annotated[str | None, typer.Option(
        "--type", help="s spectroscopic, g grism, p photometric: of some of its rows.")] = None,
    facility: Annotated[str, typer.Option(help="Part of the name of its facility.")] = "",
    as_json: Json = False,  # noqa: FBT002
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Find surveys by words, position, redshift, instrument, facility.

    What is not known of a survey does not rule it out: such ones are listed apart.
    """
    from pz_tsm_core.display.surveys import list_surveys

    print_page(list_surveys(
        " ".join(words or ()), at=at, radius=radius, z=_range(z), instrument_type=type_,
        facility=facility, survey_path=survey_path, store=opened(store, principal, right)), as_json)


@surveys.command(**shown("surveys show"))
def show(  # noqa: PLR0917
    survey: SurveyName,
    bibtex: Annotated[bool, typer.Option(  # noqa: FBT002
        "--bibtex", help="Only what to cite, as BibTeX.")] = False,
    as_json: Json = False,  # noqa: FBT002
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Show a survey: columns, flag table, what to cite, how to use it."""
    from pz_tsm_core.display.surveys import find_survey, show_survey

    if bibtex:
        from pz_tsm_core.citations import bibtex as as_bibtex

        typer.echo(as_bibtex(find_survey(survey, survey_path).citation), nl=False)
    else:
        at = opened(store, principal, right)
        print_page(show_survey(survey, survey_path=survey_path, store=at), as_json)


@surveys.command(**shown("surveys check"))
def check(
    files: Annotated[list[Path] | None, typer.Argument(
        metavar="FILE...", help="YAML files of definitions, or rule files.", show_default=False,
        autocompletion=completion.recipes)] = None,
    sample: Annotated[Path | None, typer.Option(
        help="A table in the native columns, over which the rules are run.",
        autocompletion=completion.files)] = None,
    sources: Annotated[bool, typer.Option(  # noqa: FBT002
        "--sources", help="Check where catalogues are said to be published, without asking "
        "anybody: of these definitions, or without FILE of all surveys.")] = False,
    live: Annotated[bool, typer.Option(  # noqa: FBT002
        "--live", help="With --sources: ask the services, too, for columns and counts. FILE may "
        "be the key of a survey then.")] = False,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Tell all mistakes of survey definitions, with their lines.

    It ends with 1 if there is any, and says what is only odd. The rule file of an existing
    pipeline, such as flags_translation.yaml, is checked as well: each of its expressions.
    """
    if not (files or sources) or (sources and sample) or (live and not sources):
        raise typer.BadParameter("name FILE..., and then --sample or --sources; or --sources, "
                                 "with --live or alone")
    if live:
        _check_live(files or [], as_json=as_json)
        return
    try:
        page = _checked(files or [], sample, sources=sources)
    except TsmError as error:
        if not as_json:
            raise
        typer.echo(json.dumps({"problems": [
            {"code": each.code.value, "where": each.where, "found": each.found,
             "expected": each.expected, "remedy": each.remedy} for each in error.problems]}))
        raise typer.Exit(1) from None
    print_page(page, as_json)


def _check_live(files: list[Path], *, as_json: bool) -> None:
    """Show what services say; end with 1 when any of it is not as defined."""
    from pz_tsm_core.display.live import check_live

    page, problems = check_live(*map(str, files))
    print_page(page, as_json)
    if problems:
        raise TsmError(*problems)


def _checked(files: list[Path], sample: Path | None, *, sources: bool) -> Page:
    if sources:
        from pz_tsm_core.display.sources import check_published

        return check_published(*files)
    from pz_tsm_core.display.rules import check_survey

    return check_survey(*files, sample=sample)


@surveys.command(**shown("surveys explain"))
def explain(  # noqa: PLR0917 - typer calls it by keywords
    survey: SurveyName,
    table: Annotated[str, typer.Argument(
        help="A table in the survey's native columns: a file, a HATS folder, or a product of the "
             "store (NAME or NAME@2).",
        show_default=False, autocompletion=completion.anything)],
    as_json: Json = False,  # noqa: FBT002
    survey_path: SurveyPathOption = None,
    store: StoreOption = None,
    principal: PrincipalOption = "local",
    right: RightOption = None,
) -> None:
    """Say which rule decides which rows of a table, and what none does.

    Rows are counted by rule and by native value, and are those that become measurements.
    """
    from pz_tsm_core.display.rules import explain_flags

    at = opened(store, principal, right)
    print_page(explain_flags(table, survey, survey_path=survey_path, store=at), as_json)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        raise refuse(Code.VALUE_RANGE, "--z", found=f"`{text}`", expected="FROM:TO, as in 0.5:1.2",
                     remedy="write two numbers and a colon") from None
    return low, high
