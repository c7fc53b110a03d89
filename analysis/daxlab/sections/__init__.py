"""One section of the report a file. A module here has

    TITLE: str
    ORDER: int                    its place
    body(report) -> str | None    HTML, mostly from a template of the same name; None: the section is left out
"""
from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules() -> list[ModuleType]:
    found = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda m: (m.ORDER, m.__name__))
