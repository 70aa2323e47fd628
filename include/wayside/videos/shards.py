"""Files packed into shards: consecutive, within a number of items and a number of bytes.

The video importer's server filled a shard up to 1 MiB of its list of files: 4099 items of 512 bytes make 2048, 2048, 3.
"""

from collections.abc import Sequence
from typing import Final

from wayside.core.errors import ConfigError

DEFAULT_MAX_BYTES: Final = 2**20


def pack(sizes: Sequence[int], *, max_items: int, max_bytes: int = DEFAULT_MAX_BYTES) -> list[range]:
    """Divide items into shards, in order, each as full as both limits allow.

    Args:
        sizes: bytes of each item, 0 or more. One that is larger than `max_bytes` is a shard of its own.
        max_items: most items in a shard, 1 or more.
        max_bytes: most bytes in a shard, 1 or more.

    Returns:
        The positions in each shard; together they are all positions once. No items, no shards.

    Raises:
        ConfigError: a limit is less than 1, or a size is negative.
    """
    if max_items < 1 or max_bytes < 1:
        raise ConfigError(f"a shard holds 1 item and 1 byte at least; got max_items {max_items}, max_bytes {max_bytes}")
    shards: list[range] = []
    start = held = 0
    for position, size in enumerate(sizes):
        if size < 0:
            raise ConfigError(f"item {position} has {size} bytes")
        full = position - start >= max_items or held + size > max_bytes
        if full and position > start:
            shards.append(range(start, position))
            start, held = position, 0
        held += size
    if start < len(sizes):
        shards.append(range(start, len(sizes)))
    return shards
