"""What SQLAlchemy makes of the session's classes: by the class that replay defines, never as a copy.

    class Wine(Base): id: Mapped[int] = mapped_column(primary_key=True)
    query = select(Wine)             leads to Wine's table, its mapper and the registry of Base: those of replay

A session of the ORM whose work is done is opened again with the objects that belong to it; an engine comes without its
connections. What is in an in-memory database is nowhere else: its engine is refused.
"""

from __future__ import annotations

import sys
from typing import Any, Dict, Tuple

from nbdag.portable.encoder import GroupEncoder, Refused
from nbdag.portable.objects import base_labels, class_namespace

# On a class, under these names, stands what its statement makes again; ``tables`` are those of a MetaData.
_ON_CLASSES = ("registry", "_sa_registry", "metadata", "__table__", "__mapper__", "_sa_class_manager")


def choose_mapped_codec(kind: type, encoder: GroupEncoder) -> Any:
    """Mappers, tables, columns and their like, sessions and engines, once SQLAlchemy is loaded."""
    if "sqlalchemy" not in sys.modules or not kind.__module__.startswith("sqlalchemy."):
        return None
    labels = set(base_labels(kind))
    for label, reduce in MAPPED_REDUCERS:
        if label in labels:
            return reduce
    return None


def _places(encoder: GroupEncoder) -> Dict[int, Tuple[Any, str]]:
    """Where the classes of the session hold what belongs to them: id -> (class, name)."""
    if encoder.mapped is None:
        encoder.mapped = {}
        for name, kind in list(encoder.namespace.items()):
            if isinstance(kind, type) and encoder.by_name.get(id(kind)) == name:
                for attribute in _ON_CLASSES:
                    held = class_namespace(kind).get(attribute)
                    if held is not None:
                        encoder.mapped.setdefault(id(held), (kind, attribute))
    return encoder.mapped


def _reduce_held(value: Any, encoder: GroupEncoder) -> Any:
    """By the class that holds it; a part of a table by that."""
    place = _places(encoder).get(id(value))
    if place is not None:
        return getattr, place
    return NotImplemented


def _reduce_table(table: Any, encoder: GroupEncoder) -> Any:
    place = _places(encoder).get(id(table))
    if place is not None:
        return getattr, place
    place = _places(encoder).get(id(table.metadata))
    if place is not None and table.metadata.tables.get(table.key) is table:
        if any(type(value) is type(table) and value is table for value in encoder.namespace.values()):
            raise Refused(table, "a table of a declarative base is made by its statement")
        return encoder.restorer("mapped_table"), (*place, table.key)
    return NotImplemented


def _reduce_column(column: Any, encoder: GroupEncoder) -> Any:
    table: Any = getattr(column, "table", None)
    if table is not None and id(table) in _places(encoder) and table.c.get(column.key) is column:
        return encoder.restorer("mapped_column"), (table, column.key)
    return NotImplemented


def _reduce_attribute(attribute: Any, encoder: GroupEncoder) -> Any:
    kind: Any = getattr(attribute, "class_", None)
    key: str = attribute.key
    if id(kind) in encoder.by_name and isinstance(kind, type) and getattr(kind, key, None) is attribute:
        return getattr, (kind, key)
    return NotImplemented


def _reduce_session(session: Any, encoder: GroupEncoder) -> Any:
    """One whose work is done, without its connection."""
    if session.new or session.dirty or session.deleted or _has_written(session):
        raise Refused(session, "a database session that may hold what is not committed: commit() or rollback() it")
    binds = getattr(session, "binds", None) or vars(session).get("_Session__binds")
    if session.bind is None or binds or not hasattr(session.bind, "pool"):
        raise Refused(session, "a database session without one engine of its own")
    options = {
        name: getattr(session, name)
        for name in ("autoflush", "expire_on_commit", "autobegin", "twophase", "join_transaction_mode")
        if hasattr(session, name)
    }
    _refuse_listeners(session, session, encoder)
    objects = list(session.identity_map.values())
    encoder.finish_later("mapped_session_state", session, (objects, dict(session.info)))
    return encoder.restorer("mapped_session"), (_importable(type(session)), session.bind, options)


def _has_written(session: Any) -> bool:
    """Whether its transaction has what nobody else sees yet."""
    transaction = session.get_transaction() if hasattr(session, "get_transaction") else None
    if transaction is None:
        return False
    if any(getattr(transaction, name, None) for name in ("_new", "_dirty", "_deleted")):
        return True
    held = {id(one[0]): one[0] for one in getattr(transaction, "_connections", {}).values()}
    # A driver that does not tell (psycopg2) may have rows there that execute() has inserted.
    return any(
        getattr(getattr(one.connection, "dbapi_connection", None), "in_transaction", True) for one in held.values()
    )


def _refuse_listeners(owner: Any, target: Any, encoder: GroupEncoder) -> None:
    """Raise Refused where functions of the session wait for events of ``target``, which belongs to ``owner``: they
    would hear nothing of another one. What waits for events of a class of the
    library waits for those of the other one too.
    """
    own = target if isinstance(target, type) else type(target)
    usual = _importable(own)
    for name in target.dispatch._event_names:
        heard = getattr(usual.dispatch, name)._clslevel
        listeners = heard.get(own, ()) if own is target else getattr(target.dispatch, name)
        everywhere = {id(one) for one in heard.get(usual, ())}
        for one in listeners:
            if getattr(one, "__globals__", None) is encoder.namespace and id(one) not in everywhere:
                raise Refused(owner, "it has listeners of the session (%s)" % name)


def _importable(kind: Any) -> Any:
    """The class, or the one it was made of: a ``sessionmaker`` makes one for itself."""
    return next(base for base in kind.__mro__ if vars(sys.modules[base.__module__]).get(base.__name__) is base)


def _reduce_session_maker(maker: Any, encoder: GroupEncoder) -> Any:
    _refuse_listeners(maker, maker.class_, encoder)
    return encoder.restorer("mapped_session_maker"), (type(maker), _importable(maker.class_), dict(maker.kw))


def _reduce_engine(engine: Any, encoder: GroupEncoder) -> Any:
    """As ``create_engine`` makes it from what it was given; connections are opened when they are needed."""
    if engine.url.get_backend_name() == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise Refused(engine, "a database in memory belongs to its process")
    pool, dialect = engine.pool, engine.dialect
    if hasattr(engine, "_proxied"):
        raise Refused(engine, "an engine made of another one by execution_options()")
    for target in (engine, pool):
        _refuse_listeners(engine, target, encoder)
    if any(getattr(dialect, name, None) is not None for name in ("_json_serializer", "_json_deserializer")):
        raise Refused(engine, "an engine with a json_serializer of its own")
    creator: Any = getattr(pool, "_creator_arg", None) or getattr(pool, "_creator", None)
    closure = dict(zip(creator.__code__.co_freevars, creator.__closure__ or ()))  # noqa: B905
    if "cparams" not in closure:
        raise Refused(engine, "an engine with a function that connects")
    usual = dialect.create_connect_args(engine.url)[1]
    given = closure["cparams"].cell_contents
    options = {
        "echo": engine.echo,
        "hide_parameters": engine.hide_parameters,
        "poolclass": type(pool),
        "pool_recycle": pool._recycle,
        "pool_pre_ping": pool._pre_ping,
        "pool_reset_on_return": getattr(pool._reset_on_return, "name", "reset_rollback")[len("reset_") :],
        "connect_args": {name: value for name, value in given.items() if usual.get(name, closure) != value},
    }
    for option, name in (("max_overflow", "_max_overflow"), ("pool_timeout", "_timeout")):
        if hasattr(pool, name):
            options[option] = getattr(pool, name)
    if hasattr(getattr(pool, "_pool", None), "maxsize"):
        options["pool_size"] = pool._pool.maxsize
        options["pool_use_lifo"] = pool._pool.use_lifo
    level = getattr(dialect, "_on_connect_isolation_level", None)
    if level is not None:
        options["isolation_level"] = level
    if engine.get_execution_options():
        options["execution_options"] = dict(engine.get_execution_options())
    encoder.modules.add("sqlalchemy")
    return encoder.restorer("mapped_engine"), (engine.url.render_as_string(hide_password=False), options)


def _reduce_collection(adapter: Any, encoder: GroupEncoder) -> Any:
    """What ties a list of related objects to its owner: it asks for what only mappers that are configured have."""
    reduction = adapter.__reduce_ex__(4)
    return (*reduction[:3], None, None, encoder.restorer("mapped_collection_state"))


MAPPED_REDUCERS = (
    ("sqlalchemy.CollectionAdapter", _reduce_collection),
    ("sqlalchemy.Mapper", _reduce_held),
    ("sqlalchemy.registry", _reduce_held),
    ("sqlalchemy.ClassManager", _reduce_held),
    ("sqlalchemy.MetaData", _reduce_held),
    ("sqlalchemy.Table", _reduce_table),
    ("sqlalchemy.Column", _reduce_column),
    ("sqlalchemy.QueryableAttribute", _reduce_attribute),
    ("sqlalchemy.Session", _reduce_session),
    ("sqlalchemy.sessionmaker", _reduce_session_maker),
    ("sqlalchemy.Engine", _reduce_engine),
)
