"""How things are said: model in, text out. Reads nothing but the template folders."""
