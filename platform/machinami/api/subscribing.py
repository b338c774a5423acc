"""What both kinds of subscriptions have in common: how they are created, looked up, changed and removed.

Both are of one data type (clause 5.2.12) and have the same methods; they differ in what a notification tells.
"""

from typing import Any
from uuid import uuid4

from starlette.responses import Response

from machinami.api.answers import created, link_to, no_content, page_headers, read_page, respond
from machinami.api.call import Call
from machinami.api.distribution import passed
from machinami.api.forms import read_options
from machinami.api.negotiation import preference_applied, preferred_version
from machinami.api.subscription_documents import checked, read_members, read_subscription
from machinami.linkage import subscribing
from machinami.linkage.showing import show_subscription
from machinami.linkage.subscribing import Hook, StoredSubscription, Watched
from machinami.ngsild.context import Source
from machinami.ngsild.terms import NGSI_NULL, check_uri


class Kind:
    """One kind of subscriptions.

    Args:
        path: of the list of them.
        hooks: what a transaction that writes one does besides.
    """

    def __init__(self, path: str, watched: Watched, *hooks: Hook) -> None:
        self._path = path
        self._kind = watched
        self._hooks = hooks

    def create(self, call: Call) -> Response:
        """Keep a new one."""
        document = call.document()
        stored = read_subscription(document, call.context, self._kind)
        if via := passed(call):  # it is a copy: those whose it is need none of it
            stored["via"] = list(via)
        if not isinstance(_source(call), str):  # notifications link to it, so it is served (5.13.1)
            stored.setdefault("jsonldContext", link_to(call, call.context))
        given = document.get("id")
        identifier = f"urn:ngsi-ld:Subscription:{uuid4()}" if given is None else check_uri(given, "id")
        subscribing.create_subscription(
            call.services.engine,
            call.tenant,
            identifier,
            stored,
            _notification_context(call, stored),
            kind=self._kind,
            hooks=self._hooks,
        )
        return created(f"{self._path}/{identifier}")

    def query(self, call: Call) -> Response:
        """A page of them."""
        page, sys_attrs = read_page(call), _sys_attrs(call)
        found = subscribing.query_subscriptions(call.services.engine, call.tenant, page, kind=self._kind)
        shown = [show_subscription(each, call.context, sys_attrs=sys_attrs) for each in found.subscriptions]
        headers = page_headers(call, page, more=found.more, total=found.total)
        return respond(call, shown, headers={**headers, **_preference(call)})

    def retrieve(self, call: Call) -> Response:
        """One of them."""
        identifier = call.identifier("subscriptionId")
        stored = subscribing.retrieve_subscription(
            call.services.engine, call.tenant, identifier, kind=self._kind
        )
        shown = show_subscription(stored, call.context, sys_attrs=_sys_attrs(call))
        return respond(call, shown, headers=_preference(call))

    def update(self, call: Call) -> Response:
        """Change one: members given replace those that are there; urn:ngsi-ld:null removes one."""
        fragment = call.document()
        removed = {name for name, value in fragment.items() if value == NGSI_NULL}
        given = {name: value for name, value in fragment.items() if name not in removed}
        members = read_members(given, call.context, self._kind)

        def change(stored: StoredSubscription) -> tuple[dict[str, Any], Any]:
            kept = {name: value for name, value in stored.document.items() if name not in removed}
            document = checked({**kept, **members}, self._kind)
            return document, members.get("jsonldContext", stored.context)

        subscribing.update_subscription(
            call.services.engine,
            call.tenant,
            call.identifier("subscriptionId"),
            change,
            kind=self._kind,
            hooks=self._hooks,
        )
        return no_content()

    def delete(self, call: Call) -> Response:
        """Remove one."""
        identifier = call.identifier("subscriptionId")
        subscribing.delete_subscription(call.services.engine, call.tenant, identifier, kind=self._kind)
        return no_content()


def _preference(call: Call) -> dict[str, str]:
    """Subscriptions are the same in all versions: the preferred one applies as it is (clause 4.3.6.8)."""
    return preference_applied(preferred_version(call.headers))


def _sys_attrs(call: Call) -> bool:
    return "sysAttrs" in read_options(call, ("sysAttrs",))


def _notification_context(call: Call, stored: dict[str, Any]) -> Any:
    """The @context for notifications: jsonldContext, else that of the request (clause 5.2.12)."""
    source = stored.get("jsonldContext", _source(call))
    if source is not None:
        call.services.contexts.build(source)  # no use of it yet: each notification is one
    return source


def _source(call: Call) -> Source:
    """The @context of the request; a list of one address is that address."""
    source = call.context.source
    return source[0] if isinstance(source, list) and len(source) == 1 else source
