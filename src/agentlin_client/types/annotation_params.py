"""The annotations of `annotations.py` as dicts, for requests. Meaning and units are the same."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Tag, with_config
from typing_extensions import TypedDict

from ._discriminate import by_type

_TYPES = ("file_citation", "url_citation", "container_file_citation", "file_path")


@with_config(extra="allow")
class AnnotationFileCitationParam(TypedDict):
    """The text cites a file."""

    type: Literal["file_citation"]
    """Always `file_citation`."""

    file_id: str
    """Id of the cited file."""

    filename: str
    """Name of the cited file."""

    index: int
    """Where in the text the citation stands: index of a character, from 0."""


@with_config(extra="allow")
class AnnotationURLCitationParam(TypedDict):
    """A passage of the text cites a web page."""

    type: Literal["url_citation"]
    """Always `url_citation`."""

    start_index: int
    """First character of the passage, from 0."""

    end_index: int
    """Character after the last of the passage."""

    title: str
    """Title of the page."""

    url: str
    """Address of the page."""


@with_config(extra="allow")
class AnnotationContainerFileCitationParam(TypedDict):
    """A passage of the text cites a file that a code interpreter made."""

    type: Literal["container_file_citation"]
    """Always `container_file_citation`."""

    container_id: str
    """Id of the container (the interpreter) that the file is in."""

    file_id: str
    """Id of the cited file."""

    filename: str
    """Name of the cited file."""

    start_index: int
    """First character of the passage, from 0."""

    end_index: int
    """Character after the last of the passage."""


@with_config(extra="allow")
class AnnotationFilePathParam(TypedDict):
    """The text names a file that can be fetched."""

    type: Literal["file_path"]
    """Always `file_path`."""

    file_url: str
    """Where the file can be fetched."""

    index: int
    """Where in the text the path stands: index of a character, from 0."""


AnnotationParam: TypeAlias = Annotated[
    Annotated[AnnotationFileCitationParam, Tag("file_citation")]
    | Annotated[AnnotationURLCitationParam, Tag("url_citation")]
    | Annotated[AnnotationContainerFileCitationParam, Tag("container_file_citation")]
    | Annotated[AnnotationFilePathParam, Tag("file_path")],
    by_type({kind: kind for kind in _TYPES}, expected=f"an annotation of type {', '.join(_TYPES)}"),
]
"""Any annotation."""
