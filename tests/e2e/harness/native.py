# SPDX-License-Identifier: Apache-2.0
"""Programs of tests/posix, from the build that the tested keystead comes from."""
import os

from .keystead import Keystead


def native(name):
    """Its path; it is made together with keystead."""
    build = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(Keystead.find()))))
    path = os.path.join(build, "tests/posix", name)
    assert os.access(path, os.X_OK), f"{path} is not there: run `make build`"
    return path
