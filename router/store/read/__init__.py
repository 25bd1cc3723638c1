"""What the ledger tells people: conversations, queues, reports, audits, exports. Reads only."""
