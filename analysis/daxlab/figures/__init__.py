"""One figure a file. A module here has

    QUESTION: str            what the figure answers, one sentence ending in a question mark
    draw(runs) -> Figure     for runs on one medium; raises tables.NotInRun where the cells for it are missing
    says(runs) -> str        one plain sentence: what it shows in these runs

and nothing else has to be told about it: `daxlab list figures` and the report find it here. ORDER (default 50) is its place.
"""
from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> list[ModuleType]:
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return sorted(found, key=lambda m: (getattr(m, "ORDER", 50), m.__name__))


def name(module: ModuleType) -> str:
    return module.__name__.rsplit(".", 1)[1]
