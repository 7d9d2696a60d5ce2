"""Over random trees, users and calls the catalogue does on PostgreSQL, too, what a tiny model of POSIX does."""

import pytest
from test_store_on_postgresql import shared, store, url

# The folder of the suites is on the path since that import.
from test_namespace_rights import test_no_call_does_more_or_less_than_the_rights_give  # isort: skip

pytestmark = pytest.mark.slow

__all__ = ["shared", "store", "test_no_call_does_more_or_less_than_the_rights_give", "url"]
