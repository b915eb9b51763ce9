"""Medians, paired ratios and their intervals."""

import random
import statistics


def interval(values, level=0.95, resamples=2000):
    """A bootstrap percentile interval of the median of `values`.

    The same values always give the same interval.
    """
    if len(values) < 2:
        return (values[0], values[0])
    source = random.Random(1)
    medians = sorted(
        statistics.median(source.choices(values, k=len(values))) for _ in range(resamples)
    )
    tail = (1 - level) / 2
    return (medians[int(tail * resamples)], medians[int((1 - tail) * resamples) - 1])


def quantile(values, q):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def there_and_back(items, turn):
    """The order of one round: every item once, then once more backwards.

    What drifts evenly over a round then weighs the same on each item. Each turn
    begins with another item.
    """
    start = turn % max(1, len(items))
    order = list(items[start:]) + list(items[:start])
    return order + order[::-1]
