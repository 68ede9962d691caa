"""Rule files of both dialects are read whole, or refused with every mistake and its line."""

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.legacy import Dialect, Output, is_rule_file, load_rule_file, parse_rule_file

JUNE = """\
tiebreaking_priority: [z_flag_homogenized, instrument_type_homogenized]
delta_z_threshold: 0.001
crossmatch_radius_arcsec: 0.5
crossmatch_n_neighbors: 10
instrument_type_priority: {s: 3, g: 2, p: 1}
save_expr_columns: false
expr_column_schema: {z_best_s: float, ZCAT_PRIMARY: bool, zspec_survey: STR}
translation_rules:
  c3r2_dr3:
    z_flag_translation: {4.0: 4, 3.5: 3, -1: 6, "2": null}
    instrument_type_translation: {default: s}
  MIXED:
    z_flag_translation:
      1: 0
      conditions: [{expr: z_err < 1, value: 4}]
      default: 0
    instrument_type_translation: {SPEC: S, default: null, conditions: null}
  EMPTY: {}
"""
NEWER = """\
tiebreaking_priority: []
margin_threshold_arcsec: 5.0
margin_warning_fraction: 0.8
validate_global_graph_edges: false
validate_global_tie_invariants: true
validate_crd_id_uniqueness: true
crossmatch_n_neighbors: 160
crossmatch_saturation_enabled: true
crossmatch_saturation_warn_fraction: 0.01
crossmatch_saturation_fail_fraction: null
max_representative_radius_arcsec: null
repartition_prepared_catalogs: false
prepared_partition_size: 256MB
tie_invariant_diagnostics_enabled: true
tie_invariant_diagnostics_detailed_enabled: false
tie_invariant_diagnostics_sample_size: 10
tie_invariant_diagnostics_max_rows: 100
label_merge_diagnostics_enabled: true
crossmatch_geometry_diagnostics_enabled: false
representative_radius_diagnostics_enabled: false
dedup_edge_diagnostics_enabled: false
runtime_schema_hints: {x: int}
translation_rules:
  EUCLID_Q1:
    z_flag_translation: {fast_path: disabled, conditions: [{expr: z_flag >= 0.99, value: 4}]}
    object_type_translation:
      source: spe_class
      optional_source: true
      allow_condition_overlap: true
      STAR: star
      UNDEF: null
      default: null
"""


def test_the_dialect_of_june_is_read_as_it_stands():
    rules = parse_rule_file(JUNE, "flags_translation.yaml")
    assert rules.dialect is Dialect.JUNE
    assert rules.outputs == (Output.Z_FLAG, Output.INSTRUMENT_TYPE)
    assert list(rules.rules) == ["C3R2_DR3", "MIXED", "EMPTY"]
    block = rules.rules["C3R2_DR3"][Output.Z_FLAG]
    assert block.values == ((4.0, 4.0), (3.5, 3.0), (-1, 6.0), ("2", None))
    assert (block.default, block.source, block.fast_path) == (None, "z_flag", "auto")
    mixed = rules.rules["MIXED"]
    condition, = mixed[Output.Z_FLAG].conditions
    assert (condition.expression.text, condition.outcome) == ("z_err < 1", 4.0)
    assert mixed[Output.Z_FLAG].columns == {"z_flag", "z_err"}
    assert mixed[Output.INSTRUMENT_TYPE].values == (("SPEC", "s"),)
    assert rules.parameters.crossmatch_radius_arcsec == 0.5
    assert rules.parameters.margin_threshold_arcsec is None  # not said
    assert rules.parameters.expr_column_schema == {
        "z_best_s": "float", "ZCAT_PRIMARY": "bool", "zspec_survey": "str"}
    assert [rules.requires(output) for output in Output] == [True, True, False]


def test_the_newer_dialect_is_read_with_all_its_keys():
    rules = parse_rule_file(NEWER, "flags_translation.yaml")
    assert rules.dialect is Dialect.NEWER
    assert rules.outputs == tuple(Output)
    block = rules.rules["EUCLID_Q1"][Output.OBJECT_TYPE]
    assert (block.source, block.optional_source, block.allow_condition_overlap) == (
        "spe_class", True, True)
    assert block.values == (("STAR", "star"), ("UNDEF", None))
    assert rules.rules["EUCLID_Q1"][Output.Z_FLAG].fast_path == "disabled"
    assert rules.parameters.crossmatch_n_neighbors == 160
    assert rules.parameters.tiebreaking_priority == ()
    assert not any(rules.requires(output) for output in Output)


def test_a_file_without_priorities_needs_flags_and_instruments():
    rules = parse_rule_file("translation_rules: {}", "x.yaml")
    assert [rules.requires(output) for output in Output] == [True, True, False]


BROKEN = """\
crossmatch_radius_arcsek: 0.5
delta_z_threshold: -1
margin_warning_fraction: 2
translation_rules:
  DESI:
    z_flag_translation:
      defualt: 0
      1: 9
      2: good
      conditions:
        - {expr: "z_flag ** 2 > 1", value: 1}
        - {exprr: "a == 1", value: 2}
        - 3
        - {expr: "a == 1"}
    z_flags_translation: {}
  desi:
    instrument_type_translation: {default: x, sources: 1, fast_path: maybe, optional_source: 1}
  SDSS: 4
"""


def test_every_mistake_is_told_with_its_line():
    with pytest.raises(TsmError) as caught:
        parse_rule_file(BROKEN, "rules.yaml")
    told = {(problem.where.split(":")[0].split()[-1], problem.found)
            for problem in caught.value.problems}
    assert told == {
        ("1", "unknown key `crossmatch_radius_arcsek`"), ("2", "-1"), ("3", "2"),
        ("7", "unknown key `defualt`"), ("8", "9"), ("9", "'good'"),
        ("11", "`z_flag ** 2`: powers have no translation"),
        ("12", "unknown key `exprr`"), ("12", "no key `expr`"), ("13", "3"),
        ("14", "no key `value`"), ("15", "unknown key `z_flags_translation`"),
        ("16", "the survey DESI a second time"), ("17", "'x'"), ("17", "unknown key `sources`"),
        ("17", "'maybe'"), ("17", "1"), ("18", "4"),
    }
    assert set(caught.value.codes) == {Code.LEGACY_FILE, Code.LEGACY_EXPRESSION}
    remedies = {problem.found: problem.remedy for problem in caught.value.problems}
    assert "`default`" in remedies["unknown key `defualt`"]
    assert "`z_flag_translation`" in remedies["unknown key `z_flags_translation`"]
    assert "`crossmatch_radius_arcsec`" in remedies["unknown key `crossmatch_radius_arcsek`"]


@pytest.mark.parametrize(("text", "found"), [
    ("- 1", "a list"), ("a: [", "expected"), ("translation_rules: [1]", "[1]"),
    ("translation_rules: {A: {z_flag_translation: [1]}}", "[1]"),
    ("translation_rules: {A: {z_flag_translation: {conditions: {expr: a}}}}", "{'expr': 'a'}"),
    ("translation_rules: {A: {z_flag_translation: {default: 5}}}", "5"),
    ("translation_rules: {A: {z_flag_translation: {.nan: 4}}}", "unknown key `nan`"),
    ("a: !!python/object/apply:os.system [x]", "python"),
    ("translation_rules: {A: {}, A: {}}", "twice"),
])
def test_what_is_no_rule_file_is_refused(text, found):
    with pytest.raises(TsmError) as caught:
        parse_rule_file(text, "rules.yaml")
    assert found in str(caught.value)


def test_a_star_of_the_older_scale_has_no_place_in_the_newer_dialect():
    block = "z_flag_translation: {6: 6, fast_path: auto}"
    with pytest.raises(TsmError) as caught:
        parse_rule_file(f"translation_rules: {{A: {{{block}}}}}", "x")
    assert caught.value.problems[0].expected == "one of 0.0, 1.0, 2.0, 3.0, 4.0, or null"


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(TsmError) as caught:
        load_rule_file(tmp_path / "none.yaml")
    assert caught.value.codes == (Code.FILE_MISSING,)
    (tmp_path / "flags_translation.yaml").write_text(JUNE, "utf-8")
    assert load_rule_file(tmp_path / "flags_translation.yaml").name == "flags_translation.yaml"


@pytest.mark.parametrize(("text", "meant"), [
    (JUNE, True), (NEWER, True), (BROKEN, True), ("translation_rules : [", True),
    ("a: 1\n'translation_rules': {}", True), ("key: x\nabout: |\n  translation_rules: no", False),
    ("# translation_rules:", False), ("", False), ("\xff", False),
])
def test_a_file_is_known_by_its_key_right_or_wrong(tmp_path, text, meant):
    (tmp_path / "some.yaml").write_text(text, "latin-1")
    assert is_rule_file(tmp_path / "some.yaml") is meant


def test_what_cannot_be_read_is_no_rule_file(tmp_path):
    assert not is_rule_file(tmp_path)
    assert not is_rule_file(tmp_path / "none.yaml")
