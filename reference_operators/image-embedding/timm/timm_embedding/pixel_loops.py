"""Loops over pixels, compiled by LLVM for this processor when they are imported.

numpy has nothing as fast for them, and a compiler of C is not everywhere.
"""

from __future__ import annotations

import mmap
import os
from contextlib import contextmanager
from ctypes import (
    CDLL,
    CFUNCTYPE,
    addressof,
    c_char,
    c_int64,
    c_size_t,
    c_void_p,
    get_errno,
)
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import binding, ir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    """(H, W, 3)."""

PRECISION: Final = 22
"""Bits after the point of a weight, as Pillow has them."""

_CHANNELS: Final = 3
_BYTE, _INT, _LONG = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_FLOAT = ir.FloatType()
_POINTER = ir.PointerType()
_C_TYPES: Final = {_POINTER: c_void_p, _LONG: c_int64}


def turned(image: Pixels) -> Pixels:
    """The same with rows for columns, (W, H, 3), in memory of its own.

    :param image: a part of an image is one as well, if its pixels stay whole.
    """
    height, width = image.shape[:2]
    out = np.empty((width, height, _CHANNELS), np.uint8)
    _turn(image.ctypes.data, image.strides[0], out.ctypes.data, height, width)
    return out


def weighed(
    image: Pixels, first: NDArray[np.int64], weights: NDArray[np.int32]
) -> Pixels:
    """Rows that are weighted sums of an image's, (M, W, 3), in whole grey levels.

    :param image: in memory of its own.
    :param first: (M,): the first row that each sum is of.
    :param weights: (M, N), with ``PRECISION``: those of the N rows from the first.
    """
    width, (made, taps) = image.shape[1], weights.shape
    length = width * _CHANNELS
    sums = np.empty(length, np.int32)
    out = np.empty((made, width, _CHANNELS), np.uint8)
    arrays = (image, first, weights, sums, out)
    _weigh(*(each.ctypes.data for each in arrays), length, taps, made)
    return out


def looked_up(image: Pixels, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a table has for each grey level, channel by channel, (3, H, W).

    :param image: in memory of its own.
    :param table: (3, 256), in memory of its own.
    """
    height, width = image.shape[:2]
    out = np.empty((_CHANNELS, height, width), np.float32)
    _look_up(*(each.ctypes.data for each in (image, table, out)), height * width)
    return out


class _Builder(ir.IRBuilder):  # type: ignore[misc]  # llvmlite has no types
    """Writes the body of one function."""

    @contextmanager
    def loop(self, count: Any) -> Iterator[Any]:  # noqa: ANN401  (llvmlite's)
        """Run what is written inside ``count`` times, which is not 0."""
        before = self.block
        body, after = (self.append_basic_block() for _ in range(2))
        self.branch(body)
        self.position_at_end(body)
        index = self.phi(_LONG)
        index.add_incoming(_LONG(0), before)
        yield index
        following = self.add(index, _LONG(1))
        index.add_incoming(following, self.block)
        self.cbranch(self.icmp_unsigned("<", following, count), body, after)
        self.position_at_end(after)

    def at(self, array: Any, index: Any, kind: Any) -> Any:  # noqa: ANN401
        """Where an array's element is."""
        return self.gep(array, [index], source_etype=kind)

    def element(self, array: Any, index: Any, kind: Any) -> Any:  # noqa: ANN401
        return self.load(self.at(array, index, kind), typ=kind)


def _write_turn(write: _Builder, *arguments: Any) -> None:  # noqa: ANN401
    image, stride, out, height, width = arguments
    with write.loop(width) as column, write.loop(height) as row:
        pixel = write.mul(column, _LONG(_CHANNELS))
        pixel = write.at(image, write.add(write.mul(row, stride), pixel), _BYTE)
        place = write.add(write.mul(column, height), row)
        place = write.at(out, write.mul(place, _LONG(_CHANNELS)), _BYTE)
        for number in range(_CHANNELS):
            channel = _LONG(number)
            value = write.element(pixel, channel, _BYTE)
            write.store(value, write.at(place, channel, _BYTE))


def _write_weigh(write: _Builder, *arguments: Any) -> None:  # noqa: ANN401
    image, first, weights, sums, out, length, taps, made = arguments
    with write.loop(made) as number:
        with write.loop(length) as column:
            half = _INT(1 << (PRECISION - 1))
            write.store(half, write.at(sums, column, _INT))
        start = write.element(first, number, _LONG)
        with write.loop(taps) as tap:
            place = write.add(write.mul(number, taps), tap)
            weight = write.element(weights, place, _INT)
            row = write.at(image, write.mul(write.add(start, tap), length), _BYTE)
            with write.loop(length) as column:
                value = write.zext(write.element(row, column, _BYTE), _INT)
                total = write.element(sums, column, _INT)
                total = write.add(total, write.mul(weight, value))
                write.store(total, write.at(sums, column, _INT))
        row = write.at(out, write.mul(number, length), _BYTE)
        with write.loop(length) as column:
            level = write.element(sums, column, _INT)
            level = write.ashr(level, _INT(PRECISION))
            for sign, bound in (("<", _INT(0)), (">", _INT(255))):
                outside = write.icmp_signed(sign, level, bound)
                level = write.select(outside, bound, level)
            write.store(write.trunc(level, _BYTE), write.at(row, column, _BYTE))


def _write_look_up(write: _Builder, *arguments: Any) -> None:  # noqa: ANN401
    image, table, out, pixels = arguments
    for number in range(_CHANNELS):
        channel = _LONG(number)
        levels = write.at(table, _LONG(number * 256), _FLOAT)
        plane = write.at(out, write.mul(channel, pixels), _FLOAT)
        with write.loop(pixels) as pixel:
            place = write.add(write.mul(pixel, _LONG(_CHANNELS)), channel)
            level = write.zext(write.element(image, place, _BYTE), _LONG)
            value = write.element(levels, level, _FLOAT)
            write.store(value, write.at(plane, pixel, _FLOAT))


def _compiled(write_body: Callable[..., None], *types: Any) -> Callable[..., None]:  # noqa: ANN401
    """The function of these arguments that is written so; its arrays are apart."""
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), types), "loop")
    for argument in function.args:
        if argument.type is _POINTER:
            argument.add_attribute("noalias")
    write = _Builder(function.append_basic_block())
    write_body(write, *function.args)
    write.ret_void()
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
    )
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    passes = binding.create_pass_builder(target, options)
    passes.getModulePassManager().run(parsed, passes)
    engine = binding.create_mcjit_compiler(parsed, target)
    engine.finalize_object()
    _engines.append(engine)
    address = engine.get_function_address("loop")
    return CFUNCTYPE(None, *(_C_TYPES[each] for each in types))(address)


def _check_that_code_may_be_made() -> None:
    """LLVM does not look whether it may, and what it then made ends the process.

    :raises OSError: if the system keeps memory that was written from being run.
    """
    if os.name != "posix":
        return
    page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    place = c_void_p(addressof(c_char.from_buffer(page)))
    protect = CDLL(None, use_errno=True).mprotect
    if protect(place, c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(
            get_errno(),
            "This process may not make code, by which images are resized; what starts "
            "it may say so, as systemd's MemoryDenyWriteExecute does",
        )


# The code lives as long as they do.
_engines: list[Any] = []
_check_that_code_may_be_made()
binding.initialize_native_target()
binding.initialize_native_asmprinter()
_turn = _compiled(_write_turn, _POINTER, _LONG, _POINTER, _LONG, _LONG)
_weigh = _compiled(_write_weigh, *[_POINTER] * 5, *[_LONG] * 3)
_look_up = _compiled(_write_look_up, *[_POINTER] * 3, _LONG)
