"""Parquet and Arrow files, by pyarrow: record batches one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.worker.merging.parts import Counts, MergeError, Part, reading


def arrow_here() -> Any:
    """pyarrow; MergeError where the node has none."""
    try:
        import pyarrow
        import pyarrow.feather
        import pyarrow.parquet
    except ImportError as missing:
        raise MergeError(f"this node's python3 cannot merge columns: {missing}; it needs pyarrow") from None
    return pyarrow


def merge_parquet(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Row groups one after the other; MergeError when the schemas differ."""
    parquet = arrow_here().parquet
    counted: list[Counts] = []
    with reading(parts[0]):
        schema = parquet.read_schema(parts[0].path)
    with parquet.ParquetWriter(merged, schema) as target:
        for part in parts:
            with reading(part), parquet.ParquetFile(part.path) as source:
                check_schema(part, source.schema_arrow, schema)
                for batch in source.iter_batches():
                    target.write_batch(batch)
                counted.append({"rows": source.metadata.num_rows})
    return counted


def count_parquet(merged: Path) -> Counts:
    """The rows that the file's end tells."""
    return {"rows": arrow_here().parquet.read_metadata(merged).num_rows}


def merge_arrow(parts: Sequence[Part], merged: Path) -> list[Counts]:
    """Record batches one after the other; MergeError when the schemas differ."""
    ipc = arrow_here().ipc
    counted: list[Counts] = []
    with reading(parts[0]), ipc.open_file(parts[0].path) as first:
        schema = first.schema
    with ipc.new_file(merged, schema) as target:
        for part in parts:
            with reading(part), ipc.open_file(part.path) as source:
                check_schema(part, source.schema, schema)
                rows = 0
                for number in range(source.num_record_batches):
                    batch = source.get_batch(number)
                    target.write_batch(batch)
                    rows += batch.num_rows
                counted.append({"rows": rows})
    return counted


def count_arrow(merged: Path) -> Counts:
    """The rows of all batches."""
    with arrow_here().ipc.open_file(merged) as source:
        return {"rows": sum(source.get_batch(number).num_rows for number in range(source.num_record_batches))}


def check_schema(part: Part, schema: Any, first: Any) -> None:
    """MergeError where a part's columns are not the first part's."""
    if schema.equals(first):
        return
    here, there = ({field.name: str(field.type) for field in each} for each in (schema, first))
    differ = [f"{name} ({here.get(name, 'none')} instead of {there.get(name, 'none')})"
              for name in {**there, **here} if here.get(name) != there.get(name)]  # fmt: skip
    words = ", ".join(differ) or "their order, or what may be missing in them"
    raise MergeError(f"{part.path.name}: its columns differ from those of the first part: {words}")
