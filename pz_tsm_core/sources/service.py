"""What every protocol gives: first what the service says of a catalogue, then its files.

A service brings bytes to disk and parses no table: `readers` does, for all of them alike. So equal
catalogues are equal tables, wherever they came from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from pz_tsm_core.model.retrieval import ColumnSaid, Wanted
from pz_tsm_core.model.survey import Source
from pz_tsm_core.remote import Reach


@dataclass(frozen=True)
class Ask:
    """What is asked of a service.

    Parameters
    ----------
    place : where the catalogue is, as the definition of the survey says
    columns : native name -> name at the service, of all columns that are wanted
    position : names at the service of ra and dec, where both are plain numbers in degrees, ICRS:
        only then a service can select a region; else None
    known : the validator of a former retrieval, to be told when nothing has changed; empty to be
        given everything in any case
    """

    place: Source
    columns: Mapping[str, str]
    wanted: Wanted
    position: tuple[str, str] | None = None
    known: str = ""


@dataclass(frozen=True)
class Offer:
    """What a service says before anything is pulled.

    Parameters
    ----------
    columns : by their names at the service; empty where only the file itself tells
    rows : of what is asked for, where the service counts
    bytes : of the file, where the service says
    validator : to be handed in as `known` next time; empty where the service has none
    unchanged : since `known`: there is no need to pull
    """

    columns: Mapping[str, ColumnSaid] = field(default_factory=dict)
    rows: int | None = None
    bytes: int | None = None
    validator: str = ""
    unchanged: bool = False


@dataclass(frozen=True)
class Piece:
    """A whole, checked file with rows of the catalogue.

    Parameters
    ----------
    path : a file, or a local HATS folder
    format : key of `readers.FORMATS`; None where the ending of the name says it
    table : which table of a file that holds several
    rows : that the service promised for it, which the reader must find
    lent : the file is not ours: it stays where it is when it has been read
    """

    path: Path
    format: str | None = None
    table: str | None = None
    rows: int | None = None
    lent: bool = False


class Service(ABC):
    """A protocol by which catalogues are published; one subclass a module of this room.

    Parameters
    ----------
    reach : the one way out: session, downloads, limits, deadline, progress
    """

    #: As definitions of surveys name it.
    name: ClassVar[str]

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    @abstractmethod
    def look(self, ask: Ask) -> Offer:
        """Say what there is, and whether it has changed since; costs a request or two.

        Raises
        ------
        TsmError
            `service.*` or `remote.*`; `TransientError` for what may pass by waiting.
        """

    @abstractmethod
    def pull(self, ask: Ask, offer: Offer, folder: Path) -> Iterator[Piece]:
        """Bring the files, one at a time, each whole and checked when it is given.

        They may hold more than is asked for (other columns, more of the sky, more rows): whoever
        reads them selects. They never hold less.

        Parameters
        ----------
        folder : for files and what a later try resumes from; kept from try to try, and from
            process to process, for an equal request
        """
