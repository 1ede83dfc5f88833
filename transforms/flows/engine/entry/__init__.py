"""How sessions start: triggers, the entry decision, dates, launches, groups."""
