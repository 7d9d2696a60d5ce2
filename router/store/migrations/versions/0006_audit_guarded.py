"""PostgreSQL refuses to change the audit, as SQLite did from the first."""

from alembic import op

revision = "0006"
down_revision = "0005"

GUARDS = (
    """
    CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
    """,
    """
    CREATE FUNCTION audit_keep_order() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF TG_TABLE_NAME = 'audit_start' THEN
            IF NEW.number > OLD.number THEN RETURN NEW; END IF;
        ELSIF TG_OP = 'DELETE' THEN
            IF OLD.number <= (SELECT number FROM audit_start) THEN RETURN OLD; END IF;
        ELSIF NEW.number = 1 + coalesce((SELECT max(number) FROM audit_log), (SELECT number FROM audit_start)) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'the audit is append-only';
    END $$
    """,
    """
    CREATE TRIGGER audit_log_changed BEFORE UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_log_ordered BEFORE INSERT OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_keep_order()
    """,
    """
    CREATE TRIGGER audit_start_removed BEFORE DELETE OR TRUNCATE ON audit_start
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
    """,
    """
    CREATE TRIGGER audit_start_moved_back BEFORE UPDATE ON audit_start
    FOR EACH ROW EXECUTE FUNCTION audit_keep_order()
    """,
)


def upgrade() -> None:
    """From 0005."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in GUARDS:
            op.execute(statement)


def downgrade() -> None:
    """Back to 0005: only the chain of digests shows changes."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refuse, audit_keep_order CASCADE")
