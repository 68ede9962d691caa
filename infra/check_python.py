"""Say in one line what is missing before anything is installed; runs on any Python 3."""

import sys

if sys.version_info < (3, 11):
    sys.exit("pz-tsm needs Python >= 3.11; name one: make PYTHON=python3.11 demo")
try:
    import ensurepip
    import venv
except ImportError:
    package = "python3.{}-venv".format(sys.version_info[1])
    sys.exit("This Python lacks venv; on Debian and Ubuntu: apt-get install " + package)
