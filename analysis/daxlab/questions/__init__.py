"""One research question a file. A module here has

    QUESTION: str            one sentence
    NEEDS: str               the cells it takes, in words
    answer(runs) -> evidence.Answer

registered.toml states the claims with cells and thresholds, committed before anything was measured; the modules read their numbers
from there and hold none themselves.
"""
from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> list[ModuleType]:
    return [importlib.import_module(f"{__name__}.{info.name}") for info in sorted(pkgutil.iter_modules(__path__), key=lambda i: i.name)]


def name(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[1]
