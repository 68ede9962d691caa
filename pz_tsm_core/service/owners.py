"""Whose a public name is: who asks for a result under the name of another's is refused.

In a store of one person the next result of a name is its next version. At a service that would let
anybody become the `latest` of anybody else.
"""

from __future__ import annotations

from pz_tsm_core.errors import Code, refuse
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.service.requests import SERVICE, RefreshRequest, ResultRequest
from pz_tsm_core.store import Store

_FOLDER = "owners"


class Owners:
    """Who made the first version of each name, as this service knows it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def require(self, request: ResultRequest | RefreshRequest) -> None:
        """Refuse a name that is somebody else's.

        What was made without this service, by `tsm run`, is its operator's.

        Raises
        ------
        TsmError
            `product.name`
        """
        products = self._store.products
        if _is_private(request) or request.name not in products.names():
            return
        if products.versions(request.name)[0].access.kind == "private":  # theirs, as they see it
            return
        known = self._store.recall(_record(request.name)) or {"owner": SERVICE}
        if known["owner"] != _owner(request):
            raise refuse(Code.PRODUCT_NAME, "request: name", found=f"`{request.name}`, made by "
                         f"{known['owner']}", expected="a name that is free, or your own",
                         remedy="choose another name")

    def note(self, request: ResultRequest | RefreshRequest, product: ProductVersion) -> None:
        """Remember whose the name of a product is; it stays with the one who had it first.

        What only one person sees takes no name from others.
        """
        known = self._store.recall(_record(product.name))
        if product.access.kind != "private" and known is None:
            self._store.remember(_record(product.name), {"schema": 1, "owner": _owner(request)})


def _record(name: str) -> str:
    return f"{_FOLDER}/{name}"


def _is_private(request: ResultRequest | RefreshRequest) -> bool:
    return isinstance(request, ResultRequest) and request.private


def _owner(request: ResultRequest | RefreshRequest) -> str:
    """Whoever starts a refresh: its result is the service's."""
    return request.owner if isinstance(request, ResultRequest) else SERVICE
