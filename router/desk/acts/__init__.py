"""What people of the desk do to conversations and contacts: each act one transaction with its event."""
