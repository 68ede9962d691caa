"""Protocols by which catalogues are published: one small module with one class each."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module

from pz_tsm_core.errors import Code, nearest, refuse
from pz_tsm_core.remote import Reach
from pz_tsm_core.sources.service import Ask, Offer, Piece, Service

__all__ = ["SERVICES", "Ask", "Offer", "Piece", "Service", "service"]


class _Services(Mapping[str, type[Service]]):
    """The services by name; each is imported when it is asked for, with the library that it needs.

    A module of this room that begins with an underscore is part of others.
    """

    def __getitem__(self, name: str) -> type[Service]:
        if name not in set(self):
            raise KeyError(name)
        module = import_module(f"{__name__}.{name}")
        return next(each for each in vars(module).values()
                    if isinstance(each, type) and issubclass(each, Service)
                    and each.__module__ == module.__name__ and each.name == name)

    def __iter__(self) -> Iterator[str]:
        names = (module.name for module in pkgutil.iter_modules(__path__))
        return (name for name in names if name != "service" and not name.startswith("_"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


#: Every protocol that definitions of surveys can name.
SERVICES: Mapping[str, type[Service]] = _Services()


def service(name: str, reach: Reach) -> Service:
    """The service of that name, with its way out.

    Raises
    ------
    TsmError
        `source.none` when there is no such service.
    """
    if name not in SERVICES:
        raise refuse(Code.SOURCE_NONE, f"service `{name}`", found="no such service",
                     expected="a service that pz-tsm speaks to", remedy=nearest(name, SERVICES))
    return SERVICES[name](reach)
