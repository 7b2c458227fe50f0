"""Load matplotlib whatever plotting backend this process inherits.

Pictures here draw into memory and need no backend. But matplotlib looks at ``MPLBACKEND`` and at ``matplotlibrc`` as
it loads, and fails with one it does not know, such as the inline backend of the Jupyter kernel that started the
process, where that package is not installed. Only then it is loaded without both; else they stay a user's own.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from neuroep.errors import ConfigError

BACKEND, SETTINGS = "MPLBACKEND", "MATPLOTLIBRC"


def load() -> None:
    """Import matplotlib.

    Raises
    ------
    ConfigError
        If a ``matplotlibrc`` in the working directory, which comes before all others, cannot be read.
    """
    try:
        import_module("matplotlib")
    except (ValueError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        held = {name: os.environ.get(name) for name in (BACKEND, SETTINGS)}
        os.environ |= {BACKEND: "agg", SETTINGS: os.devnull}
        try:
            import_module("matplotlib")
        except (ValueError, OSError) as error:
            raise ConfigError(f"matplotlib cannot be loaded, is there a broken matplotlibrc here? {error}") from None
        finally:
            for name, value in held.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
