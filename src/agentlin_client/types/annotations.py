"""Annotations of text: where a passage comes from. Source: contract, section 1, Content.

Indices count characters (Unicode code points) of the text; an end index is exclusive.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from agentlin_client._models import BaseModel

from .unknown import UnknownAnnotation


class AnnotationFileCitation(BaseModel):
    """The text cites a file."""

    type: Literal["file_citation"]
    """Always `file_citation`."""

    file_id: str
    """Id of the cited file."""

    filename: str
    """Name of the cited file."""

    index: int
    """Where in the text the citation stands: index of a character, from 0."""


class AnnotationURLCitation(BaseModel):
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


class AnnotationContainerFileCitation(BaseModel):
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


class AnnotationFilePath(BaseModel):
    """The text names a file that can be fetched."""

    type: Literal["file_path"]
    """Always `file_path`."""

    file_url: str
    """Where the file can be fetched."""

    index: int
    """Where in the text the path stands: index of a character, from 0."""


Annotation: TypeAlias = Annotated[
    Annotated[
        AnnotationFileCitation
        | AnnotationURLCitation
        | AnnotationContainerFileCitation
        | AnnotationFilePath,
        Field(discriminator="type"),
    ]
    | UnknownAnnotation,
    Field(union_mode="left_to_right"),
]
"""Any annotation; one of an unknown type is an UnknownAnnotation."""
