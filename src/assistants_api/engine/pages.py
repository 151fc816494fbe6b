"""Memory for attention state. On CPUs a large tensor takes real memory only where something was written.

A block of rows is as long as its longest row. The system hands out memory page by page, at the first write:
the ends of short rows, which nobody writes, cost nothing, and a row that has gone gives its pages back.
"""

import math
import mmap
import sys

import torch

_LEAST = 4 << 20  # bytes from which a tensor is made of pages; below, the allocator's own memory is quicker
_PAGE = mmap.PAGESIZE


def can_hold(tensor: torch.Tensor) -> bool:
    """Whether tensors where this one is take memory by need once they are large."""
    return hasattr(mmap, "MAP_ANONYMOUS") and tensor.device.type == "cpu"


@torch.inference_mode(False)  # what is made in a forward can be written between two forwards as well
def zeros(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Zeros of this shape, of the kind and on the device of `like`."""
    size = math.prod(shape) * like.element_size()
    if size < _LEAST or not can_hold(like):
        return torch.zeros(shape, dtype=like.dtype, device=like.device)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):  # a huge page would hold the ends of short rows too
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    made = torch.frombuffer(memory, dtype=like.dtype).view(shape)
    made.memory = memory  # type: ignore[attr-defined]  # for `give_back`
    return made


def give_back(tensor: torch.Tensor, row: int) -> bool:
    """Row `row` of the first dimension is zero again and takes no memory; False where that cannot be."""
    memory: mmap.mmap | None = getattr(tensor, "memory", None)
    if memory is None or sys.platform != "linux":
        return False
    size = tensor.nbytes // tensor.shape[0]
    start, end = -(-row * size // _PAGE) * _PAGE, (row + 1) * size // _PAGE * _PAGE
    if end > start:
        memory.madvise(mmap.MADV_DONTNEED, start, end - start)
    return True
