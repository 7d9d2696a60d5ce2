"""The database: the catalogue of files, and the ledger of intent, reasons and history. The only user of SQLAlchemy."""
