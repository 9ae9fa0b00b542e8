"""Restorers of what SQLAlchemy makes of classes; counterpart of ``codecs/mapped.py``."""

from __future__ import annotations

from typing import Any


def restore_mapped_table(kind: Any, name: str, key: str) -> Any:
    """A table that the ``MetaData`` of a class knows."""
    return getattr(kind, name).tables[key]


def restore_mapped_column(table: Any, key: str) -> Any:
    """A column of a table."""
    return table.c[key]


def restore_mapped_collection_state(adapter: Any, state: Any) -> None:
    """The owner of a collection, when all mappers are configured, as they were where it was made."""
    import sqlalchemy.orm  # type: ignore[import-not-found, unused-ignore]

    sqlalchemy.orm.configure_mappers()
    adapter.__setstate__(state)


def restore_mapped_session(kind: Any, bind: Any, options: Any) -> Any:
    """A session on this engine that has not begun anything."""
    return kind(bind=bind, **options)


def restore_mapped_session_state(session: Any, state: Any) -> None:
    """The objects that belong to a session, with what they know of their rows."""
    objects, info = state
    session.info.update(info)
    session.add_all(objects)


def restore_mapped_session_maker(kind: Any, session: Any, options: Any) -> Any:
    """What makes sessions of one kind."""
    return kind(class_=session, **options)


def restore_mapped_engine(url: str, options: Any) -> Any:
    """An engine without connections."""
    import sqlalchemy  # type: ignore[import-not-found, unused-ignore]

    return sqlalchemy.create_engine(url, **options)
