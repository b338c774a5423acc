"""What the notifier tells Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

from machinami.metrics import SECONDS

DUE = Gauge("machinami_notify_due_subscriptions", "Subscriptions with a notification due, at the last look")
DELIVERED = Counter("machinami_notify_delivered", "Notifications that their receiver took")
RETRIED = Counter("machinami_notify_retried", "Deliveries that failed and will be tried again")
DEAD = Counter("machinami_notify_dead", "Notifications given up, now dead letters")
DURATION = Histogram("machinami_notify_delivery_seconds", "One attempt, arrived or not", buckets=SECONDS)
