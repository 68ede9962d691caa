"""`param.hats_config`: a configuration of science_catalogs, which makes catalogues of magnitudes.

The existing pipeline has it make a HATS copy of the whole release in every run. Here the same is
computed for the matched rows. What only says how that copy is made and stored is read and left
alone. Facts: `linea-it/science_catalogs`, docs/configuration.rst and utils/config.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from pz_tsm_core.existing.config import Name, Read, one_of

Comparison = Annotated[str, one_of("greater_or_equal", "less_or_equal")]


def _nothing_is_none(value: Any) -> Any:
    """What science_catalogs takes for nothing."""
    text = str(value).strip().lower() if isinstance(value, str | float) else ""
    return None if text in ("none", "null", "nan", "~") or value == "" else value


def _none_is_empty(value: Any) -> Any:
    return () if value is None else value


def _false_alone(value: Any) -> Any:
    if value:
        raise ValueError("false: in a HATS catalogue the id is a column like any other")
    return False


def _absent(value: Any) -> Any:
    if value:
        raise ValueError("the older layout: input.col_pattern, output.mag_offset, output.A_EBV ...")
    return None


Number = Annotated[float | None, BeforeValidator(_nothing_is_none)]
Text = Annotated[str | None, BeforeValidator(_nothing_is_none)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_none_is_empty)]


class Filter(Read):
    """`input.filter`: rows whose column has a value."""

    enabled: bool = False
    column: Text = None
    value: Any = None
    drop_column_after_filter: bool = False

    @model_validator(mode="after")
    def _has_a_column(self) -> Self:
        if self.enabled and not self.column:
            raise ValueError("a column, as the filter is enabled")
        return self


class InitialCut(Read):
    """`input.initial_cut`: rows that are bright enough."""

    enabled: bool = False
    column: Text = None
    column_type: Annotated[str, one_of("flux", "mag")] = "flux"
    mag_value: Number = None
    flux_value: Number = None

    @model_validator(mode="after")
    def _has_one_limit(self) -> Self:
        if not self.enabled:
            return self
        if not self.column or (self.mag_value is None) == (self.flux_value is None):
            raise ValueError("a column, and one of mag_value and flux_value, as the cut is enabled")
        if self.column_type == "mag" and (self.flux_value or 1) <= 0:
            raise ValueError("a flux_value above 0: it is turned into a magnitude")
        return self


class Input(Read):
    """`input`: the catalogue, and what its columns are."""

    catalog_path: Text = None
    catalog_folder: Text = None
    catalog_pattern: Text = None
    which_release: Text = None
    user_selected_cols: Names = ()
    is_id_in_index: Annotated[bool, BeforeValidator(_false_alone)] = False
    input_col_type: Annotated[str, one_of("flux", "flux_dered", "mag", "mag_dered")] = "flux"
    input_col_model: Text = None
    compute_magnitude: bool = False
    compute_dereddening: bool = False
    keep_input_columns_after_filters_or_transformations: bool | None = None
    keep_input_columns_when_computing_mag_or_dered: bool = False
    col_pattern: Text = None
    err_pattern: Text = None
    selected_bands: Names = ()
    ra_col: Text = None
    dec_col: Text = None
    band_case: Annotated[str, one_of("lower_case", "upper_case")] | None = None
    use_dustmap: Text = None
    filter: Filter = Filter()
    initial_cut: InitialCut = InitialCut()

    @property
    def path(self) -> str | None:
        """The catalogue, or the folder of its files."""
        return self.catalog_path or self.catalog_folder

    @property
    def keeps_inputs(self) -> bool:
        """Whether the columns from which others are computed stay."""
        if self.keep_input_columns_after_filters_or_transformations is not None:
            return self.keep_input_columns_after_filters_or_transformations
        return self.keep_input_columns_when_computing_mag_or_dered


class Output(Read):
    """`output`: what is computed; of how it is stored nothing matters here."""

    save_as: Any = None
    base_path: Any = None
    order_by: Any = None
    target_rows_per_part: Any = None
    col_for_filename: Any = None
    on_existing: Any = None
    hats_artifact_name: Any = None
    hats_source_save_as: Any = None
    hats_margin_threshold: Any = None
    col_final_pattern: Text = None
    err_final_pattern: Text = None
    band_case: Annotated[str, one_of("lower_case", "upper_case")] = "lower_case"
    mag_offset: Number = None
    A_EBV: dict[str, float] = Field(default_factory=dict)


class InvalidHandling(Read):
    """`invalid_handling`: which values and errors are invalid, and what stands in their place."""

    replace_invalid_values: bool = False
    how_to_replace_col_values: Annotated[str, one_of("all", "only_with_invalid_err")] | None = None
    how_to_replace_err_values: Annotated[str, one_of("all", "only_with_invalid_col")] | None = None
    cross_invalidate: bool = False
    col_value_to_replace: Number = None
    err_value_to_replace: Number = None
    is_nan_and_inf_invalid_for_col: bool = True
    is_nan_and_inf_invalid_for_err: bool = True
    set_limit_for_col: bool = False
    limit_value_for_col: float = 999.0
    limit_comparison_for_col: Comparison = "greater_or_equal"
    use_absolute_for_col_limits: bool = True
    set_limit_for_err: bool = False
    limit_value_for_err: float = 999.0
    limit_comparison_for_err: Comparison = "greater_or_equal"
    use_absolute_for_err_limits: bool = True
    round_col: bool = False
    round_col_decimal_cases: int = 5
    round_err: bool = False
    round_err_decimal_cases: int = 5


class DustMap(Read):
    """`dust`: the map of E(B-V)."""

    path_to_dustmaps: Text = None
    use_dustmap: Text = None
    distance_col_pc: Any = None
    distance_fixed_pc: Any = None


class HatsConfig(Read):
    """All of it; `cluster`, `execution`, `metadata` and `collection` change no value."""

    input: Input
    output: Output = Output()
    invalid_handling: InvalidHandling = InvalidHandling()
    dust: DustMap = DustMap()
    cluster: Any = None
    execution: Any = None
    metadata: Any = None
    collection: Any = None
    photometry: Annotated[None, BeforeValidator(_absent)] = None

    @property
    def to_magnitude(self) -> bool:
        """Whether magnitudes are computed of fluxes."""
        return self.input.compute_magnitude

    @property
    def to_dereddened(self) -> bool:
        """Whether dust is undone: on fluxes, or on magnitudes that are there already."""
        return self.input.compute_dereddening

    @property
    def chooses(self) -> bool:
        """Whether some rows of the catalogue are left out."""
        return self.input.filter.enabled or self.input.initial_cut.enabled

    @property
    def bands(self) -> tuple[tuple[str, str, str, str, str], ...]:
        """Of every band its name, and the columns of value and error before and after."""
        case = self.input.band_case or self.output.band_case
        patterns = (self.input.col_pattern, self.input.err_pattern,
                    self.output.col_final_pattern, self.output.err_final_pattern)
        value, error, final, final_error = (pattern or "" for pattern in patterns)
        called = {band: band.lower() if case == "lower_case" else band.upper()
                  for band in self.input.selected_bands}
        return tuple((band, value.replace("BAND", band), error.replace("BAND", band),
                      final.replace("BAND", name), final_error.replace("BAND", name))
                     for band, name in called.items())

    @model_validator(mode="after")
    def _can_be_computed(self) -> Self:
        wrong = list(self._wrong())
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _wrong(self) -> list[str]:
        """What cannot be computed so, each in words."""
        told, kind = self.input, self.input.input_col_type
        wrong = []
        if not told.path:
            wrong.append("input.catalog_path, or input.catalog_folder")
        if told.catalog_path and told.catalog_folder and told.catalog_path != told.catalog_folder:
            wrong.append("one of input.catalog_path and input.catalog_folder: they disagree")
        if self.to_magnitude and kind.startswith("mag"):
            wrong.append(f"no compute_magnitude, as input_col_type is `{kind}`")
        if self.to_dereddened and kind.endswith("_dered"):
            wrong.append(f"no compute_dereddening, as input_col_type is `{kind}`")
        if told.selected_bands:
            wrong += self._wrong_bands()
        needs_offset = self.to_magnitude or (told.initial_cut.enabled and (
            (told.initial_cut.column_type == "mag") == (told.initial_cut.mag_value is None)))
        if needs_offset and self.output.mag_offset is None:
            wrong.append("output.mag_offset, 31.4 for fluxes in nJy")
        return wrong

    def _wrong_bands(self) -> list[str]:
        told = self.input
        patterns = {"input.col_pattern": told.col_pattern, "input.err_pattern": told.err_pattern,
                    "output.col_final_pattern": self.output.col_final_pattern,
                    "output.err_final_pattern": self.output.err_final_pattern}
        wrong = [f"{key} with the word BAND in it" for key, pattern in patterns.items()
                 if "BAND" not in (pattern or "")]
        lacking = [band for band in told.selected_bands if band not in self.output.A_EBV]
        if self.to_dereddened and lacking:
            wrong.append(f"output.A_EBV of {', '.join(lacking)}")
        if self.to_dereddened and not (told.ra_col and told.dec_col):
            wrong.append("input.ra_col and input.dec_col, at which dust is looked up")
        return wrong
