"""Say in one line what is missing before anything is installed; runs on any Python 3."""

import sys

if sys.version_info < (3, 11):
    version = ".".join(str(part) for part in sys.version_info[:2])
    sys.exit("pz-tsm needs Python >= 3.11, this is %s: make PYTHON=python3.11 ..." % version)
try:
    import ensurepip  # noqa: F401
    import venv  # noqa: F401
except ImportError:
    sys.exit("This Python lacks venv; on Debian and Ubuntu: apt-get install python3-venv")
