"""Wake-up hints between writers and waiters; losing one costs a poll interval, never correctness."""

from collections import defaultdict
from collections.abc import Callable

Callback = Callable[[object], None]

JOBS = "jobs"


def cancel_topic(run_id: str) -> str:
    """The topic on which the worker of a run hears that it must look at the run again."""
    return f"cancel:{run_id}"


def channel_topic(channel: str) -> str:
    """The topic on which followers of a log channel hear that rows were added."""
    return f"channel:{channel}"


def indexed_topic(store_id: str) -> str:
    """The topic on which those who wait for a vector store's files hear that one is no longer in progress."""
    return f"indexed:{store_id}"


class Wake:
    """Topics inside one process; `relay` carries them to other processes where there are any."""

    def __init__(self) -> None:
        self._callbacks: dict[str, set[Callback]] = defaultdict(set)
        self.relay: Callable[[str], None] | None = None

    def on(self, topic: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` with the payload of every hint on `topic`; the result ends that."""
        self._callbacks[topic].add(callback)

        def off() -> None:
            waiting = self._callbacks.get(topic)
            if waiting is not None:
                waiting.discard(callback)
                if not waiting:
                    del self._callbacks[topic]

        return off

    def send(self, topic: str, payload: object = None) -> None:
        """Hint to waiters here and, through the relay and without the payload, elsewhere."""
        self.deliver(topic, payload)
        if self.relay is not None:
            self.relay(topic)

    def deliver(self, topic: str, payload: object = None) -> None:
        """Hint to the waiters of this process only."""
        for callback in tuple(self._callbacks.get(topic, ())):
            callback(payload)
