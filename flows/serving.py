"""What the flows of a service share: whose run it is, where it works, what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from httpx import HTTPError
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.exceptions import PrefectException

from flows.attending import attended
from flows.offering import offer
from flows.order import Order
from flows.seen import View, reasons, seen
from flows.settings import WAITS
from flows.submission import Terms, carry_out
from pz_tsm_core.errors import TsmError
from pz_tsm_core.model.product import ProductVersion
from pz_tsm_core.service import RefreshRequest, Site, site_here
from pz_tsm_core.service.recipes import access_of, folder_of, guard_of, owner_of, recipe_of
from pz_tsm_core.service.requests import ResultRequest
from tasks.stage import StoreAt


@dataclass(frozen=True)
class Served:
    """One run at a service, on behalf of somebody.

    Parameters
    ----------
    origin : the tag that says how it began
    """

    site: Site
    at: StoreAt
    view: View
    origin: str

    def check(self, request: ResultRequest | RefreshRequest) -> None:
        """Refuse now what would be refused after hours of retrieval."""
        store = self.at.open()
        self._terms(request).pin(recipe_of(request, self.site, store), store, allow_unfetched=True)

    def make(self, order: Order, request: ResultRequest | RefreshRequest) -> ProductVersion:
        """Do what a request asks for, hand the result over, and give its version."""
        recipe = recipe_of(request, self.site, self.at.open())
        return carry_out(order, recipe, self.at, self.view, self._terms(request))

    def _terms(self, request: ResultRequest | RefreshRequest) -> Terms:
        return Terms(owner=owner_of(request), access=access_of(request),
                     folder=folder_of(request, self.site), shown_at=self.site.shown_at,
                     guard=guard_of(request, self.site), named=tell_waiting)


@contextmanager
def serving(owner: str, principal: str | None = None) -> Iterator[Served]:
    """Work for somebody at the site that PZ_TSM_SITE names; tell afterwards what there is now.

    Parameters
    ----------
    principal : as whom the store is opened; by default the owner
    """
    with attended(), seen() as view:
        site, origin = site_here(), _tag(owner)
        who = site.principal(principal or owner)
        try:
            yield Served(site, StoreAt(location=site.store, principal=who), view, origin)
        finally:  # what failed may have brought half of it
            _offer(site)


def tell_waiting(product: ProductVersion) -> None:
    """Say to whoever listens, such as an automation, that somebody must decide, if that is so."""
    if not product.waits:
        return
    why = "; ".join(reasons(product))
    emit_event(WAITS, resource={"prefect.resource.id": f"pz-tsm.product.{product.name}"},
               payload={"product": str(product), "reason": why})
    get_run_logger().warning("%s waits as a candidate: %s", product, why)


def _offer(site: Site) -> None:
    try:
        offer(site)
    except (TsmError, PrefectException, HTTPError) as error:
        # The result stands; whoever changes something next tells all choices anew.
        get_run_logger().warning("the choices of forms are as they were: %s", error)


def _tag(owner: str) -> str:
    """Let people find runs by who asked for them, and how; give the tag that says how."""
    if runtime.flow_run.id is None:  # called as a plain function
        return "by:request"
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(runtime.flow_run.id)
        how = "by:schedule" if run.auto_scheduled else "by:request"
        # Whoever asked on behalf of another run has said how that began.
        how = next((tag for tag in run.tags if tag.startswith("by:")), how)
        tags = dict.fromkeys([*run.tags, f"owner:{owner}", how])
        client.update_flow_run(run.id, tags=list(tags))
    return how
