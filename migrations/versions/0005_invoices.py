"""invoices, their numbers and buyers, and fapiao applications

Revision: 0005, after 0004, 2026-11-23 06:08:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# An invoice is corrected by a credit note, never by changing it; the function is 0001's.
INVOICE_TRIGGER = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON invoices
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "invoice_sellers",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("seller", JSONB(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_invoice_sellers")),
    )
    op.create_table(
        "invoice_counters",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "series", "year", name=op.f("pk_invoice_counters")),
    )
    _create_invoices()
    op.create_table(
        "invoiced_bills",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "bill_id", name=op.f("pk_invoiced_bills")),
    )
    op.create_index("ix_invoiced_bills_invoice", "invoiced_bills", ["operator_id", "invoice_id"])
    op.create_table(
        "driver_invoices",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "invoice_id", name=op.f("pk_driver_invoices")),
    )
    op.create_table(
        "buyer_profiles",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("buyer_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", name=op.f("pk_buyer_profiles")),
    )
    _create_fapiao_orders()


def _create_fapiao_orders() -> None:
    op.create_table(
        "fapiao_orders",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("fapiao_number", sa.String(), nullable=True),
        sa.Column("pdf_url", sa.String(), nullable=True),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("next_query_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "invoice_id", name=op.f("pk_fapiao_orders")),
    )
    op.create_index(
        "ix_fapiao_orders_due",
        "fapiao_orders",
        ["next_query_at"],
        unique=False,
        postgresql_where="state IN ('waiting', 'sent', 'applied')",
    )


def _create_invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("corrects_id", sa.Uuid(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("gross_minor", sa.BigInteger(), nullable=False),
        sa.Column("items", JSONB(), nullable=False),
        sa.Column("document_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("xml_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("xml_sha256", sa.String(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("gross_minor > 0", name=op.f("ck_invoices_gross_positive")),
        sa.CheckConstraint("net_minor + vat_minor = gross_minor", name=op.f("ck_invoices_adds_up")),
        sa.CheckConstraint(
            "net_minor >= 0 AND vat_minor >= 0", name=op.f("ck_invoices_parts_not_negative")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("operator_id", "number", name=op.f("uq_invoices_operator_id_number")),
    )
    op.create_index("ix_invoices_corrects", "invoices", ["operator_id", "corrects_id"])
    op.execute(INVOICE_TRIGGER)


def downgrade() -> None:
    op.drop_index(
        "ix_fapiao_orders_due",
        table_name="fapiao_orders",
        postgresql_where="state IN ('waiting', 'sent', 'applied')",
    )
    op.drop_table("fapiao_orders")
    op.drop_table("buyer_profiles")
    op.drop_table("driver_invoices")
    op.drop_index("ix_invoiced_bills_invoice", table_name="invoiced_bills")
    op.drop_table("invoiced_bills")
    op.execute("DROP TRIGGER refuse_change ON invoices")
    op.drop_index("ix_invoices_corrects", table_name="invoices")
    op.drop_table("invoices")
    op.drop_table("invoice_counters")
    op.drop_table("invoice_sellers")
