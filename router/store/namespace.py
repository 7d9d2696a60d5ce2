"""The catalogue as one person sees and changes it: the one way in for every face."""

from router.store.provenance import Tracing
from router.store.removing import Removing


class Namespace(Removing, Tracing):
    """Files, directories, links, datasets and metadata, within one person's rights."""
