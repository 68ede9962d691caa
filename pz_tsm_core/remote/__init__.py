"""The one way to reach out: guarded, limited, polite, resumed."""
