"""Resources of the standard that are not here yet: they answer 501 and say so."""

from machinami.api.endpoint import Resource

resource = Resource("Not yet")

for _method, _path, _clause, _summary in (
    ("POST", "/csourceSubscriptions", "5.11.2, 6.12.3.1", "Create Context Source Registration Subscription"),
    ("GET", "/csourceSubscriptions", "5.11.5, 6.12.3.2", "Query Context Source Registration Subscriptions"),
    (
        "GET",
        "/csourceSubscriptions/{subscriptionId:path}",
        "5.11.4, 6.13.3.1",
        "Retrieve Context Source Subscription",
    ),
    (
        "PATCH",
        "/csourceSubscriptions/{subscriptionId:path}",
        "5.11.3, 6.13.3.2",
        "Update Context Source Subscription",
    ),
    (
        "DELETE",
        "/csourceSubscriptions/{subscriptionId:path}",
        "5.11.6, 6.13.3.3",
        "Delete Context Source Subscription",
    ),
):
    resource.pending(_method, _path, _clause, _summary)
