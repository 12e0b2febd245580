"""Published durability figures, each reproduced from the inputs that its source states."""

import pytest

from reed.durability import Replication, burst, chain, compat


def test_backblaze_windows():
    """Backblaze, Cloud Storage Durability (2018)."""
    found = compat.windows(17, 3, 0.00405, 6.5)
    assert found.detail("q") == pytest.approx(7.212069e-5, rel=1e-6)
    assert found.detail("window") == pytest.approx(1.309581e-13, rel=1e-6)
    assert found.value == pytest.approx(7.353799e-12, rel=1e-6)
    assert compat.windows(4, 2, 0.10, 1).value == pytest.approx(1.499678e-7, rel=1e-6)


@pytest.mark.parametrize(("data", "total", "percent"), [
    (2, 4, 99.207366813274616), (20, 40, 99.999999807694154), (1, 3, 99.640050681691051)])
def test_storj_white_paper(data, total, percent):
    """Storj: A Decentralized Cloud Storage Network Framework v3 (2018)."""
    assert compat.storj(data, total).value == pytest.approx(percent, abs=1e-13)


@pytest.mark.parametrize(("scheme", "years"), [
    ("3-rep", 3.5130e9), ("RS(6,3)", 6.1071e11), ("LRC(6,2,2)", 2.6161e12)])
def test_azure_table_1(scheme, years):
    """Huang et al., Erasure Coding in Windows Azure Storage (USENIX ATC 2012), Table 1."""
    assert compat.azure(scheme).value == pytest.approx(years, rel=1e-3)


def test_xoring_elephants_replication():
    """Sathiamoorthy et al., XORing Elephants (VLDB 2013), Table 1, three replicas."""
    assert compat.xorbas().value == pytest.approx(2.30789e10, rel=1e-5)


@pytest.mark.parametrize(("copies", "days"), [(2, 4.994e5), (3, 1.352e9), (4, 2.744e12)])
def test_ford_independent_failures(copies, days):
    """Ford et al., Availability in Globally Distributed Storage Systems (OSDI 2010)."""
    assert compat.ford(copies).value == pytest.approx(days, rel=1e-3)


@pytest.mark.parametrize(("sets", "probability"), [
    (1e7, 0.999918), (1666, 0.001567), (275000, 0.228081), (8333, 0.007814)])
def test_copysets(sets, probability):
    """Cidon et al., Copysets (USENIX ATC 2013): 5000 nodes, 50 down, three copies."""
    found = compat.copysets(5000, 50, 3, sets)
    assert found.detail("one_set") == pytest.approx(9.413647e-7, rel=1e-6)
    assert found.value == pytest.approx(probability, rel=1e-3)
    model = burst(Replication(3), 5000, 50, sets)
    assert model.any == pytest.approx(found.value, rel=1e-9)


@pytest.mark.parametrize(("copies", "probability"), [
    (1, 7.214565e-3), (2, 4.948027e-7), (3, 5.090256e-11)])
def test_ceph_tools(copies, probability):
    """ceph-tools, models/reliability (2013)."""
    assert compat.ceph(copies).value == pytest.approx(probability, rel=1e-6)


def test_heterogeneous_mttdl():
    """First-order MTTDL of like and unlike disks, (14, 10)."""
    assert compat.alike(14, 10, 4.57e-6, 4.0).value == pytest.approx(1.282995e25, rel=1e-6)
    mixed = [2.07e-6] * 7 + [4.57e-6] * 7
    assert compat.unlike(mixed, 10, 4.0).value == pytest.approx(7.099665e25, rel=1e-6)


def test_zstorage_and_netease():
    """zStorage's and NetEase's published block-storage durability notes."""
    assert compat.zstorage().value == pytest.approx(8.1059e-10, rel=1e-4)
    found = compat.netease()
    assert found.detail("copysets") == pytest.approx(1376256, rel=1e-12)
    assert found.value == pytest.approx(1.2684e-10, rel=1e-3)


def test_exact_three_copies():
    """Three copies at 0.02 a year, hourly repair rate 8760 a year, exactly."""
    serial = chain(Replication(3), 0.02, 8760.0, "serial")
    parallel = chain(Replication(3), 0.02, 8760.0, "parallel")
    assert serial.probability == pytest.approx(6.2535970458e-13, rel=1e-9)
    assert parallel.probability == pytest.approx(3.1269806038e-13, rel=1e-9)


def test_windows_are_low_by_about_parity_plus_one():
    """17+3: eleven nines by windows, ten exactly."""
    from reed.durability import ReedSolomon

    window = compat.windows(17, 3, 0.00405, 6.5).value
    exact = chain(ReedSolomon(17, 3), 0.00405, 365.0 / 6.5).probability
    assert exact == pytest.approx(2.84e-11, rel=0.02)
    assert 3.0 < exact / window < 4.5


def test_every_compatibility_value_names_its_bias():
    for found in (compat.windows(17, 3, 0.004, 6.5), compat.storj(2, 4), compat.azure("3-rep"),
                  compat.xorbas(), compat.ford(3), compat.copysets(50, 5, 3, 9), compat.ceph(3),
                  compat.alike(14, 10, 1e-6, 1.0), compat.unlike([1e-6] * 5, 3, 1.0),
                  compat.zstorage(), compat.netease()):
        assert len(found.bias) > 20 and found.source and found.unit
