"""What ingest tells Prometheus. Counted at commit, once for a batch."""

import time
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from machinami.ingest.worker import Prepared, Worker
from machinami.linkage.write import Batch, Committed, Linkage
from machinami.metrics import SECONDS

MESSAGES = Counter("machinami_ingest_messages", "Messages read from the stream and done with")
COMMITTED = Counter("machinami_ingest_committed", "Messages of which something is stored")
QUARANTINED = Counter("machinami_ingest_quarantined", "Messages nothing of which could be read")
OBSERVATIONS = Counter("machinami_ingest_observations", "Rows added to the history")
REPEATED = Counter(
    "machinami_ingest_repeated", "Observations that came again, with the same value or another"
)
LAG = Gauge("machinami_ingest_lag_seconds", "From the broker to the commit, newest message of the last batch")
BATCH_MESSAGES = Histogram(
    "machinami_ingest_batch_messages", "Messages in a batch", buckets=[4**n for n in range(8)]
)
BATCH_SECONDS = Histogram(
    "machinami_ingest_batch_seconds", "From a batch's bytes to its commit", buckets=SECONDS
)
DATABASE = Histogram(
    "machinami_ingest_database_seconds", "Part of a commit that waits for the database", buckets=SECONDS
)


class MeteredWorker(Worker):
    """A worker that says how large its batches are, and how long they take."""

    def store(self, prepared: Prepared) -> None:
        """Commit these messages."""
        messages = prepared.messages
        super().store(prepared)
        BATCH_SECONDS.observe(time.perf_counter() - prepared.begun)
        BATCH_MESSAGES.observe(len(messages))
        MESSAGES.inc(len(messages))
        LAG.set((datetime.now(UTC) - messages[-1].received_at).total_seconds())


class MeteredLinkage(Linkage):
    """The write path, counting what it has committed."""

    def commit(self, batch: Batch) -> Committed:
        """Store a batch in one transaction."""
        wall, busy = time.perf_counter(), time.thread_time()
        committed = super().commit(batch)
        # What this thread did not compute in, it waited for: the database, and now and then another thread.
        DATABASE.observe(max(0.0, time.perf_counter() - wall - time.thread_time() + busy))
        stored = committed.stored
        OBSERVATIONS.inc(stored.added)
        REPEATED.inc(stored.repeated + stored.corrected)
        if batch.progress is not None:
            COMMITTED.inc(batch.progress.committed)
            QUARANTINED.inc(batch.progress.quarantined)
        return committed
