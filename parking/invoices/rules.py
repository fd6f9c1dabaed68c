"""Rules of invoices, without I/O."""
