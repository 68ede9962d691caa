"""A mock sky with known truth: demo, tests and benchmarks run on it."""

from pz_tsm_core.mock.make import Progress, make_mock
from pz_tsm_core.mock.own import write_own_table
from pz_tsm_core.mock.spec import MockPaths, MockSky

__all__ = ["MockPaths", "MockSky", "Progress", "make_mock", "write_own_table"]
