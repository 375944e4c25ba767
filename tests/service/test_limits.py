"""The singletons that hold the service's limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.service.conftest import Running

from openwmi import host
from openwmi.contract import flags as f
from openwmi.contract import operations as ops
from openwmi.contract.context import Context
from openwmi.model import status as s
from openwmi.service.limits import HostQuotas, apply, host_quotas, idle_seconds
from openwmi.service.settings import Settings

CACHES = ("EventConsumerProvider", "EventProvider", "EventSink", "ObjectProvider", "PropertyProvider")


@pytest.fixture
def here() -> Iterator[Running]:
    """A host of its own, as these limits concern all of it."""
    fresh = Running()
    fresh.cimv2 = fresh.connect("root")
    yield fresh
    fresh.host.shut_down()


def one(here: Running, path: str, **kwargs: Any) -> Any:
    (found,) = here.collect(ops.GetObject(path), **kwargs).objects
    return found


@pytest.mark.req("calls:H5", "calls:H10", "calls:H11", "B-41", "B-42")
def test_the_limits_are_there_with_their_defaults(here: Running) -> None:
    arbitrator = one(here, "__ArbitratorConfiguration=@")
    assert (arbitrator.TemporarySubscriptionsTotal, arbitrator.PollingMemoryPerUser) == (10_000, 5_000_000)
    assert arbitrator.TaskThreadsTotal is None
    assert host_quotas(here.host.namespaces) == HostQuotas(256, 4096, 32, 512 << 20, 1 << 30)
    (quotas,) = here.collect(ops.ExecQuery("SELECT * FROM __ProviderHostQuotaConfiguration")).objects
    assert quotas.path_ == rf"\\{host.server_name()}\root:__ProviderHostQuotaConfiguration=@"
    assert quotas.MemoryPerHost == 512 << 20
    found = here.collect(ops.ExecQuery("SELECT * FROM __CacheControl")).objects
    assert sorted(cache.classname_ for cache in found) == [f"__{name}CacheControl" for name in CACHES]
    assert {cache.ClearAfter.total_seconds() for cache in found} == {300}
    assert idle_seconds(here.host.namespaces) == 300
    elsewhere = here.connect("root\\cimv2")
    assert here.status(ops.GetObject("__ArbitratorConfiguration=@"), services=elsewhere) == s.WBEM_E_NOT_FOUND


@pytest.mark.req("calls:H5", "calls:H6", "calls:H10")
def test_the_limits_can_be_changed(here: Running) -> None:
    quotas = one(here, "__ProviderHostQuotaConfiguration=@")
    path = "__ProviderHostQuotaConfiguration=@"
    assert here.status(ops.PutInstance(quotas), f.WBEM_FLAG_CREATE_ONLY) == s.WBEM_E_ALREADY_EXISTS
    partial = Context({"__PUT_EXTENSIONS": True, "__PUT_EXT_PROPERTIES": ["ThreadsPerHost"]})
    changed = quotas.with_({"ThreadsPerHost": 8, "HandlesPerHost": 9})
    assert here.status(ops.PutInstance(changed), f.WBEM_FLAG_UPDATE_ONLY, context=partial) == 0
    assert (one(here, path).ThreadsPerHost, one(here, path).HandlesPerHost) == (8, 4096)
    assert host_quotas(here.host.namespaces).threads == 8
    arbitrator = one(here, "__ArbitratorConfiguration=@").with_(
        {"TemporarySubscriptionsTotal": 3, "TotalUsers": 7}
    )
    assert here.status(ops.PutInstance(arbitrator)) == 0
    assert one(here, "__ArbitratorConfiguration=@").TotalUsers == 7
    settings = Settings()
    apply(here.host.namespaces, settings)
    assert (settings.subscriptions, settings.subscriptions_per_user) == (3, 1_000)
    cache = one(here, "__ObjectProviderCacheControl=@").with_({"ClearAfter": "00000000000001.500000:000"})
    assert here.status(ops.PutInstance(cache)) == 0
    assert idle_seconds(here.host.namespaces) == 1.5
    assert here.status(ops.DeleteInstance(path)) == 0
    assert one(here, path).ThreadsPerHost == 256
    assert here.status(ops.DeleteInstance(path)) == s.WBEM_E_INVALID_OPERATION


@pytest.mark.req("calls:H6", "A-321", "B-03")
def test_who_may_change_them(here: Running) -> None:
    limited = host.owner()._replace(granted=f.WBEM_ENABLE | f.WBEM_PARTIAL_WRITE_REP | f.WBEM_WRITE_PROVIDER)
    services = here.connect("root", caller=limited)
    quotas = one(here, "__ProviderHostQuotaConfiguration=@", services=services)
    assert here.status(ops.PutInstance(quotas), services=services) == s.WBEM_E_ACCESS_DENIED
    provider = one(here, "__Win32Provider").spawn({"Name": "Mine", "CLSID": "python:os:x"})
    assert here.status(ops.PutInstance(provider), services=services) == s.WBEM_E_ACCESS_DENIED
    who = one(here, "__CIMOMIdentification=@")
    assert who.VersionCurrentlyRunning
    assert here.status(ops.PutInstance(who)) == s.WBEM_E_READ_ONLY
    assert one(here, "__CIMOMIdentification=@", services=here.connect("root\\default"))
