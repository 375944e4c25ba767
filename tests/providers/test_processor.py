"""Win32_Processor on this machine, and on recorded descriptions of other ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.providers.questions import Ask, request

from openwmi.providers.linux import sockets as sockets_module
from openwmi.providers.processor import Processors


@pytest.mark.req("G-16")
def test_it_is_this_machine(ask: Ask) -> None:
    rows = ask("Win32_Processor")
    assert [row["DeviceID"] for row in rows] == [f"CPU{index}" for index in range(len(rows))]
    assert sum(int(str(row["NumberOfLogicalProcessors"])) for row in rows) == psutil.cpu_count()
    assert sum(int(str(row["NumberOfCores"])) for row in rows) == psutil.cpu_count(logical=False)
    info = Path("/proc/cpuinfo").read_text()
    names = re.findall(r"^model name\s*: (.*)$", info, re.MULTILINE)
    for row in rows:
        assert row["Name"] in names or not names
        assert row["LoadPercentage"] in range(101)
        assert (row["Availability"], row["CpuStatus"], row["ProcessorType"], row["Status"]) == (3, 1, 3, "OK")


def processor(number: int, package: int, core: int, **more: object) -> str:
    pairs = {"processor": number, "physical id": package, "core id": core, **more}
    return "".join(f"{name}\t: {value}\n" for name, value in pairs.items()) + "\n"


INTEL = {
    "vendor_id": "GenuineIntel",
    "cpu family": 6,
    "model": 158,
    "model name": "Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz",
    "stepping": 10,
    "cpu MHz": "4399.999",
    "flags": "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush dts acpi mmx fxsr sse "
    "sse2 ss ht tm pbe lm vmx ept",
}
CACHES = {
    f"/sys/devices/system/cpu/cpu{number}/cache/index{index}/{name}": str(value)
    for number in range(4)
    for index, (level, size, shared) in enumerate(
        [(1, "32K", number), (2, "256K", f"{number % 2},{number % 2 + 2}"), (3, "12M", "0-3")]
    )
    for name, value in (("level", level), ("size", size), ("shared_cpu_list", shared))
}


@pytest.mark.req("G-16")
def test_an_intel_processor_with_two_cores_and_four_threads(ask: Ask, tree: Callable[..., Path]) -> None:
    root = tree({"/proc/cpuinfo": "".join(processor(n, 0, n % 2, **INTEL) for n in range(4)), **CACHES})
    expected = {
        "Caption": "Intel64 Family 6 Model 158 Stepping 10",
        "Manufacturer": "GenuineIntel",
        "ProcessorId": "BFEBFBFF000906EA",
        "Revision": 0x9E0A,
        "Level": 6,
        "Family": 198,
        "NumberOfCores": 2,
        "NumberOfLogicalProcessors": 4,
        "ThreadCount": 4,
        "L2CacheSize": 512,
        "L3CacheSize": 12288,
        "MaxClockSpeed": 3200,
        "CurrentClockSpeed": 4400,
        "VirtualizationFirmwareEnabled": True,
        "SecondLevelAddressTranslationExtensions": True,
        "Version": "Model 158, Stepping 10",
    }
    assert ask("Win32_Processor", *expected, root=root) == [expected]


@pytest.mark.req("G-16")
def test_one_instance_per_socket(ask: Ask, tree: Callable[..., Path]) -> None:
    text = "".join(processor(n, n % 2 * 3, n // 2, **INTEL) for n in range(8))
    rows = ask(
        "Win32_Processor",
        "DeviceID",
        "NumberOfCores",
        "SocketDesignation",
        root=tree({"/proc/cpuinfo": text}),
    )
    assert [tuple(row.values()) for row in rows] == [("CPU0", 4, "CPU 0"), ("CPU1", 4, "CPU 3")]


def test_frequencies_of_sysfs_win(ask: Ask, tree: Callable[..., Path]) -> None:
    frequencies = {"cpuinfo_max_freq": "4600000", "base_frequency": "3200000", "scaling_cur_freq": "800123"}
    files = {f"/sys/devices/system/cpu/cpu0/cpufreq/{name}": value for name, value in frequencies.items()}
    root = tree({"/proc/cpuinfo": processor(0, 0, 0, **INTEL), **files})
    assert ask("Win32_Processor", "MaxClockSpeed", "CurrentClockSpeed", root=root) == [
        {"MaxClockSpeed": 3200, "CurrentClockSpeed": 800}
    ]


@pytest.mark.req("G-16", "G-02")
def test_an_arm_processor_without_a_name(ask: Ask, tree: Callable[..., Path]) -> None:
    one = (
        "Features\t: fp\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd08\nCPU revision\t: 3\n"
    )
    text = "".join(f"processor\t: {number}\n{one}\n" for number in range(4)) + "Model\t\t: Raspberry Pi 4\n"
    ids = {f"/sys/devices/system/cpu/cpu{n}/topology/core_id": str(n) for n in range(4)}
    expected = {
        "Manufacturer": "ARM Limited",
        "NumberOfCores": 4,
        "Level": 8,
        "Stepping": "3",
        "ProcessorId": None,
    }
    assert ask("Win32_Processor", *expected, root=tree({"/proc/cpuinfo": text, **ids})) == [expected]


def test_a_machine_that_describes_no_processor_has_none(ask: Ask, tmp_path: Path) -> None:
    assert ask("Win32_Processor", root=tmp_path) == []


@pytest.mark.req("G-16")
def test_the_load_is_the_share_of_busy_ticks(
    tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two readings: between them 30 of 40 ticks were busy on one processor, none of 60 on the other."""
    root = tree({"/proc/cpuinfo": processor(0, 0, 0) + processor(1, 0, 1)})
    stat = root / "proc/stat"
    stat.write_text("cpu 0 0 0 0\ncpu0 10 0 10 100 0 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\nintr 0\n")

    def pass_time(seconds: float) -> None:
        stat.write_text("cpu 0 0 0 0\ncpu0 30 0 20 105 5 0 0 0 9 0\ncpu1 0 0 0 160 0 0 0 0 0 0\nintr 0\n")

    monkeypatch.setattr(sockets_module, "sleep", pass_time)
    (row,) = Processors(str(root)).instances(request("Win32_Processor", "LoadPercentage"))
    assert row == (30,)
