"""Waiting for a condition instead of for a time."""

import time


def until(condition, what, timeout=15.0, interval=0.02):
    """Calls `condition` until it returns something true, and returns that.

    Raises TimeoutError that names `what` and the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(
                "%s: not within %g seconds; the last answer was %r" % (what, timeout, answer)
            )
        time.sleep(interval)
