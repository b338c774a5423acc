"""What a purge is asked to take (clauses 5.6.21 and 6.4.3.3)."""

from machinami.api.call import Call
from machinami.api.parameters import Arguments
from machinami.errors import BadRequestData
from machinami.linkage.purging import Projection

_NARROWING = ("type", "attrs", "drop", "keep", "q", "georel")


def narrow_purge(arguments: Arguments) -> None:
    """Check that a purge is narrow enough; ``type=*`` means all that is here.

    Raises:
        BadRequestData: it is too wide, or ``type=*`` goes with ``local=false``.
    """
    if arguments.get("type") == "*":
        if arguments.get("local", "true") != "true":
            raise BadRequestData(
                "type=* purges what is here only", field="local", value="false", cure="Leave out local"
            )
        del arguments["type"]
        arguments["local"] = "true"
    if not arguments.flag("local") and not any(name in arguments for name in _NARROWING):
        raise BadRequestData(
            "the purge is too wide",
            field="type",
            cure="Give at least one of type, attrs, drop, keep, q, georel, or local=true",
        )


def read_projection(call: Call) -> Projection:
    """The attributes that go or stay.

    Raises:
        BadRequestData: drop and keep together, or a name that is none.
    """
    drop, keep = (
        frozenset(call.context.expand(name) for name in call.arguments.names(parameter))
        for parameter in ("drop", "keep")
    )
    if drop and keep:
        raise BadRequestData(
            "drop and keep contradict each other", field="keep", value=call.arguments["keep"], cure="Use one"
        )
    return Projection(drop=drop, keep=keep)
