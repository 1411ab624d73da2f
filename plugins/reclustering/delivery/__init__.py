"""The list on its way to marketing: the message, the ledger, and sending it once."""
