"""How the shipped model was trained; nothing that users run imports this."""
