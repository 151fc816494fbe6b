"""The net that trains fast is the Llama that is published."""

import pytest

pytestmark = pytest.mark.model


@pytest.fixture
def net():
    from training.model import Net, wire_copying

    made = Net(300)
    wire_copying(made)
    return made


def test_the_published_llama_says_what_the_net_says(net):
    import torch
    from training.model import causal, exported, turns

    ids = torch.randint(0, 300, (2, 40), generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        ours = net.scores(net.hidden(ids, *turns(40), causal(40)))
        theirs = exported(net, end=2, pad=0)(ids).logits

    assert (ours - theirs).norm() / theirs.norm() < 0.15  # ours computes in bfloat16
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.9


def test_a_published_folder_comes_back_as_the_same_net(net, tmp_path):
    import torch
    from training.model import exported, imported

    exported(net, end=2, pad=0).save_pretrained(tmp_path)

    again = imported(tmp_path)

    for (name, one), other in zip(net.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_copying_is_there_before_training(net):
    import torch
    from training.model import causal, turns

    said = torch.randperm(290, generator=torch.Generator().manual_seed(1))[:30] + 10
    ids = torch.cat([said, said])[None]

    with torch.no_grad():
        found = net.scores(net.hidden(ids, *turns(60), causal(60)))[0].argmax(-1)

    assert (found[31:59] == ids[0, 32:]).float().mean() > 0.5
