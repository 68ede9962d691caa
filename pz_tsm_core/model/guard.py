from pz_tsm_core.model.artifact import Value


class GuardPolicy(Value):
    """Placeholder."""
