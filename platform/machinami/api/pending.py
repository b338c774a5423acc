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
    ("POST", "/snapshots", "5.16.1, 6.36.3.1", "Create Snapshot"),
    ("DELETE", "/snapshots", "5.16.7, 6.36.3.2", "Purge Snapshots"),
    ("GET", "/snapshots/{snapshotId:path}", "5.16.3, 6.37.3.1", "Retrieve Snapshot Status"),
    ("PATCH", "/snapshots/{snapshotId:path}", "5.16.4, 6.37.3.2", "Update Snapshot Status"),
    ("DELETE", "/snapshots/{snapshotId:path}", "5.16.5, 6.37.3.3", "Delete Snapshot"),
    ("POST", "/snapshots/{snapshotId}/clone", "5.16.2, 6.38.3.1", "Clone Snapshot"),
):
    resource.pending(_method, _path, _clause, _summary)
