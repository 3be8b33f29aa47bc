"""Meshes, and where pytrees lie on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from nas.errors import UserError
from nas.runtime import mesh as meshes
from nas.runtime.mesh import MeshConfig, make_mesh

TREE = {
    "blocks": [{"w": np.zeros((8, 6)), "b": np.zeros(6)}, {"w": np.zeros((4, 2))}],
    "head": {"w": np.zeros((6, 10))},
}


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        (MeshConfig(), (1, 8, 1)),
        (MeshConfig(model=2), (1, 4, 2)),
        (MeshConfig(data=1), (1, 1, 1)),
        (MeshConfig(data=2, model=3), (1, 2, 3)),
        (MeshConfig(model=2, supernets=2), (2, 2, 2)),
    ],
)
def test_shape_of_the_mesh(config, shape):
    mesh = make_mesh(config)
    assert tuple(mesh.shape.values()) == shape
    assert mesh.axis_names == ("supernets", "data", "model")
    assert mesh.axis_types == (AxisType.Auto,) * 3


@pytest.mark.parametrize(
    "config",
    [
        MeshConfig(data=9),
        MeshConfig(model=3),
        MeshConfig(model=16),
        MeshConfig(supernets=3),
    ],
)
def test_mesh_that_does_not_fit(config):
    with pytest.raises(UserError, match=r"mesh\.model = .* the 8 device"):
        make_mesh(config)


@pytest.mark.parametrize("fields", [{"data": -1}, {"model": 0}, {"supernets": 0}])
def test_impossible_sizes(fields):
    with pytest.raises(UserError, match=rf"mesh\.{next(iter(fields))} is"):
        MeshConfig(**fields)


@pytest.mark.parametrize(("num", "expected"), [(1, False), (2, True), (3, False)])
def test_parts_are_spread_where_they_divide(num, expected):
    mesh = make_mesh(MeshConfig(data=2, supernets=2))
    assert meshes.side_by_side(num, mesh) == expected
    assert not meshes.side_by_side(num, make_mesh(MeshConfig()))


@pytest.mark.parametrize(
    ("size", "axes"), [(8, ("supernets", "data")), (6, ("data",)), (2, ("data",))]
)
def test_a_batch_goes_to_all_devices_that_can_share_it(size, axes):
    mesh = make_mesh(MeshConfig(data=2, supernets=2))
    assert meshes.wide_batch(mesh, size) == axes


def test_first_rule_wins_and_the_rest_is_replicated():
    mesh = make_mesh(MeshConfig(model=2))
    rules = (("blocks/0/w", ("model",)), ("blocks/./w$", (None, "model")))
    found = meshes.shardings(TREE, mesh, rules)
    specs = jax.tree.map(lambda s: s.spec, found)
    assert specs == {
        "blocks": [
            {"w": PartitionSpec("model"), "b": PartitionSpec()},
            {"w": PartitionSpec(None, "model")},
        ],
        "head": {"w": PartitionSpec()},
    }


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (("bocks", ("model",)), r"'bocks' is the first to match no weight.*blocks/0/w"),
        (("head", ("modle",)), r"axis 'modle'. Allowed: supernets, data, model"),
        (("head", (None, "model")), r"head/w has shape \(6, 10\); the 4 device.*of 10"),
        (("0/b", (None, "model")), r"blocks/0/b has 2 dimensions.*\(6,\)"),
        (("(", ("model",)), "no regular expression"),
    ],
)
def test_rule_that_does_not_fit(rule, message):
    mesh = make_mesh(MeshConfig(data=2, model=4))
    with pytest.raises(UserError, match=message):
        meshes.shardings(TREE, mesh, (rule,))


def test_put_and_host_are_inverse_on_any_layout():
    mesh = make_mesh(MeshConfig(model=2))
    rng = np.random.default_rng(0)
    tree = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), TREE)
    where = meshes.shardings(tree, mesh, (("blocks/0/w", ("data", "model")),))
    placed = meshes.put(tree, where)
    assert jax.tree.map(lambda x: x.sharding, placed) == where
    shards = placed["blocks"][0]["w"].addressable_shards
    assert {s.data.shape for s in shards} == {(2, 3)}
    jax.tree.map(np.testing.assert_array_equal, meshes.host(placed), tree)


def aligned(size):
    """Return float32 zeros at an address that JAX can take over without a copy."""
    data = np.zeros(size * 4 + 64, np.uint8)
    start = -data.ctypes.data % 64
    return data[start : start + size * 4].view(np.float32)


@pytest.mark.parametrize("devices", [1, 8])
def test_put_and_host_share_no_memory(devices):
    where = meshes.replicated(make_mesh(MeshConfig(data=devices)))
    value = aligned(1024)
    placed = meshes.put(value, where)
    value[:] = 1
    assert not np.asarray(placed).any()
    copied = meshes.host(placed)
    copied[:] = 1
    assert not np.asarray(placed).any()


@pytest.mark.parametrize("devices", [1, 8])
def test_step_that_donates_leaves_what_was_put(devices):
    where = meshes.replicated(make_mesh(MeshConfig(data=devices)))
    value = jnp.ones(8)
    for source in (value, meshes.put(value, where)):
        placed = meshes.put(source, where)
        jax.jit(lambda x: x + 1, donate_argnums=0)(placed).block_until_ready()
        assert placed.is_deleted()
        assert np.asarray(source).all()


def test_batches_lie_along_the_data_axis():
    mesh = make_mesh(MeshConfig(model=2))
    batch = meshes.put(np.zeros((3, 8)), meshes.batch_sharding(mesh, axis=1))
    assert {s.data.shape for s in batch.addressable_shards} == {(3, 2)}
    local = meshes.put_local(np.arange(8), meshes.batch_sharding(mesh))
    np.testing.assert_array_equal(meshes.host(local), np.arange(8))


@pytest.mark.parametrize("size", [0, 1, 7, 12])
def test_batch_that_the_data_axis_does_not_divide(size):
    with pytest.raises(
        UserError, match=rf"training\.batch is {size}, .* multiple of 8"
    ):
        meshes.check_batch(make_mesh(), size, "training.batch")


def test_batch_that_it_divides():
    meshes.check_batch(make_mesh(), 64)
    meshes.check_batch(make_mesh(MeshConfig(data=1)), 7)
