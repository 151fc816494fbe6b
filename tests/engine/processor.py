"""What tests must know of the processor that they run on."""

import pytest
import torch

from assistants_api.engine.packed import can_pack_bfloat16

CAN_PACK = can_pack_bfloat16()

needs_packing = pytest.mark.skipif(not CAN_PACK, reason="this processor cannot pack bfloat16 weights")

needs_fbgemm = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="FBGEMM is for x86 with AVX2"
)
