"""Reading a mailbox: one session, its answers, and which mails are new."""
