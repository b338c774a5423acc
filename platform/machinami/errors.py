"""Every error raised on purpose: one root, subclassed by what the caller should do next.

A message names the field, the value and the cure. One table turns each class into problem details
(ETSI GS CIM 009 clause 6.3.2) and into an exit code of the command line.
"""

from typing import ClassVar


class MachinamiError(Exception):
    """Root of all errors raised on purpose.

    Args:
        detail: one sentence a person can act on.
        field: which member, parameter, column or option is meant.
        value: the offending value, as it came.
        cure: what to write or do instead.
    """

    title: ClassVar[str] = "Internal error"
    status: ClassVar[int] = 500
    kind: ClassVar[str] = "InternalError"
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, *, field: str = "", value: object = None, cure: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.field = field
        self.value = value
        self.cure = cure

    def __str__(self) -> str:
        """The whole message on one line: detail, then the cure."""
        return f"{self.detail}. {self.cure}" if self.cure else self.detail


class InvalidRequest(MachinamiError):
    """The request cannot be read or asks for something contradictory: mend the request."""

    title = "Invalid request"
    status = 400
    kind = "InvalidRequest"
    exit_code = 2


class BadRequestData(InvalidRequest):
    """The data breaks a rule of the standard or of a declared mapping: mend the data."""

    title = "Bad request data"
    kind = "BadRequestData"


class NotFound(MachinamiError):
    """Nothing has this name here: look it up, or create it first."""

    title = "Resource not found"
    status = 404
    kind = "ResourceNotFound"
    exit_code = 3


class TenantNotFound(NotFound):
    """No tenant has this name: create it by writing to it, or mend the tenant header."""

    title = "No such tenant"
    kind = "NonexistentTenant"


class AlreadyExists(MachinamiError):
    """Something has this name already: choose another name, or update it."""

    title = "Already exists"
    status = 409
    kind = "AlreadyExists"


class Conflict(MachinamiError):
    """Something here stands against it: take that away first, or ask for less."""

    title = "Conflict"
    status = 409
    kind = "Conflict"


class TooComplexQuery(MachinamiError):
    """The query would cost too much: narrow it."""

    title = "Too complex query"
    status = 403
    kind = "TooComplexQuery"


class TooManyResults(MachinamiError):
    """The answer would be too large: page it or narrow the query."""

    title = "Too many results"
    status = 403
    kind = "TooManyResults"


class ContextUnavailable(MachinamiError):
    """A @context could not be had: pin it, or mend its address."""

    title = "@context not available"
    status = 503
    kind = "LdContextNotAvailable"


class NotServed(MachinamiError):
    """A copy that is kept for speed and served to nobody: ask for it where it comes from."""

    title = "Not served from here"
    status = 422
    kind = "OperationNotSupported"


class NotAcceptable(MachinamiError):
    """None of the media types asked for can be given: mend the Accept header."""

    title = "Not acceptable"
    status = 406
    kind = "InvalidRequest"


class UnsupportedMediaType(MachinamiError):
    """The body's media type cannot be read: mend the Content-Type header."""

    title = "Unsupported media type"
    status = 415
    kind = "InvalidRequest"


class Unavailable(MachinamiError):
    """A part of the city does not answer now: try again."""

    title = "Temporarily unavailable"
    status = 503
    kind = "InternalError"
    exit_code = 4


class BadGateway(MachinamiError):
    """A context source could not do its part: ask its operator, or change its registration."""

    title = "Bad gateway"
    status = 502
    kind = "BadGateway"


class GatewayTimeout(MachinamiError):
    """A context source did not answer in time: try again, or raise management.timeout of its registration."""

    title = "Gateway timeout"
    status = 504
    kind = "GatewayTimeout"


class LoopDetected(MachinamiError):
    """A distributed operation has come back to where it was: change one of the registrations on its way."""

    title = "Loop detected"
    status = 508
    kind = "LoopDetected"


class SetupError(MachinamiError):
    """This machine or this configuration cannot run the city: mend it, then start again."""

    title = "Set-up error"
    exit_code = 5
