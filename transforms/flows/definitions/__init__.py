"""What a flow and its space are: frozen values and closed unions, no behaviour."""
