"""The folder and the bucket do the same, whatever is done in whatever order."""

from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.peers.storage import StoragePeer, serving_storage
from tests.store.conftest import gcs_store
from tests.store.test_contract import META, sha256

from wayside.store import LocalStore, Store, StoredEntry

SOURCES, DAYS = ("A", "A-b", "B"), ("20200501", "20200502")
KEYS = [
    f"{source}/{day}/{slot}/c.{n}.jpg"
    for source in SOURCES
    for day in DAYS
    for slot in ("0000", "0010")
    for n in (1, 2)
]
keys = st.sampled_from(KEYS)
pictures = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"\n", b"--", b"\xff\xd8\r\n--\r\n", b"x" * 5000])
metas = st.integers(0, 5).map(lambda n: META.model_copy(update={"etag": f'"{n}"', "reason": "ü" * n or None}))
NUMBERS = count()


class Stores(RuleBasedStateMachine):
    """Both stores, and a dictionary that says what they should hold."""

    def __init__(self, service: StoragePeer) -> None:
        super().__init__()
        self.ends = ExitStack()
        folder = self.ends.enter_context(TemporaryDirectory())
        self.stores: list[Store] = [LocalStore(Path(folder)), gcs_store(service, f"run-{next(NUMBERS)}")]
        self.held: dict[str, tuple[bytes, object]] = {}

    def teardown(self) -> None:
        self.ends.close()

    @rule(key=keys, data=pictures, meta=metas)
    def create(self, key, data, meta):
        first = key not in self.held
        assert [store.create(key, data, meta) for store in self.stores] == [first] * 2
        self.held.setdefault(key, (data, meta))

    @rule(key=keys, data=pictures, meta=metas, right=st.booleans())
    def replace(self, key, data, meta, right):
        there = key in self.held and right
        before = sha256(self.held[key][0] if there else b"another")
        assert [store.replace(key, data, meta, before) for store in self.stores] == [there] * 2
        if there:
            self.held[key] = (data, meta)

    @rule(key=keys)
    def delete(self, key):
        assert [store.delete(key) for store in self.stores] == [key in self.held] * 2
        self.held.pop(key, None)

    @rule(chosen=st.lists(keys, max_size=12))
    def delete_many(self, chosen):
        there = len(set(chosen) & set(self.held))
        assert [store.delete_many(chosen) for store in self.stores] == [there] * 2
        for key in chosen:
            self.held.pop(key, None)

    @rule(source=st.sampled_from(SOURCES))
    def folders(self, source):
        days = sorted({key.split("/")[1] for key in self.held if key.startswith(f"{source}/")})
        for store in self.stores:
            store.prune(source)
            assert store.folders(source) == days

    @rule(key=keys)
    def read(self, key):
        for store in self.stores:
            found = store.read(key)
            assert store.exists(key) is (found is not None) is (key in self.held)
            assert found is None or (found.data, found.meta) == self.held[key]

    @invariant()
    def lists(self):
        for source in SOURCES:
            there = sorted(key for key in self.held if key.startswith(f"{source}/"))
            entries = [StoredEntry(key, len(self.held[key][0])) for key in there]
            for store in self.stores:
                assert list(store.keys(source)) == there
                assert list(store.entries(source)) == entries


def test_the_stores_agree():
    settings = hypothesis.settings(max_examples=15, stateful_step_count=15)
    with serving_storage() as service:
        run_state_machine_as_test(lambda: Stores(service), settings=settings)
