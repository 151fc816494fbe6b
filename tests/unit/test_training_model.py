"""The net that trains fast is the Llama that is published."""

import pytest

pytestmark = pytest.mark.model


@pytest.fixture
def net():
    import torch
    from training.model import Net, wire_copying
    from training.tokens import Forms

    made = Net(Forms(torch.arange(300), torch.zeros(300, 2)))
    wire_copying(made)
    return made


@pytest.fixture(scope="session")
def tokenizer():
    from training.prepare import texts
    from training.tokens import train_tokenizer

    return train_tokenizer(texts(300))


def test_the_published_llama_says_what_the_net_says(net):
    import torch
    from training.model import causal, exported, turns

    ids = torch.randint(0, 300, (2, 40), generator=torch.Generator().manual_seed(1))

    with torch.no_grad():
        ours = net.scores(*net.hidden(ids, net.table(), *turns(40), causal(40)), net.table())
        theirs = exported(net, end=2, pad=0)(ids).logits

    assert (ours - theirs).norm() / theirs.norm() < 0.15  # ours computes in bfloat16
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.9


def test_a_published_folder_comes_back_as_the_same_net(tokenizer, tmp_path):
    import torch
    from training.model import Net, exported, imported
    from training.tokens import forms

    net = Net(forms(tokenizer))
    torch.nn.init.normal_(net.own, std=0.01)
    torch.nn.init.normal_(net.differences, std=0.05)
    exported(net, end=2, pad=0).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)

    again = imported(tmp_path, tokenizer)

    assert torch.allclose(net.table(), again.table(), atol=1e-6)
    assert again.own.norm() < 1.5 * net.own.norm()
    for name in ("attention", "output", "gate_up", "down", "norms"):
        for one, other in zip(getattr(net, name), getattr(again, name), strict=True):
            assert torch.equal(one, other), name


def test_a_folder_goes_on_with_other_tokens(tokenizer, tmp_path):
    import torch
    from training.model import Net, exported, imported
    from training.prepare import texts
    from training.tokens import forms, train_tokenizer

    net = Net(forms(tokenizer))
    exported(net, end=2, pad=0).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    other = train_tokenizer(texts(600))

    again = imported(tmp_path, other)

    both = sorted(set(tokenizer.get_vocab()) & set(other.get_vocab()))
    before, after = tokenizer.convert_tokens_to_ids(both), other.convert_tokens_to_ids(both)
    assert len(both) < len(other)
    assert torch.allclose(net.table()[before], again.table()[after], atol=1e-6)


@pytest.mark.parametrize("word", ["kitchen", "Kitchen", "Zibburet", "earthenware"])
def test_a_word_is_cut_alike_wherever_it_stands(tokenizer, word):
    alone = tokenizer.tokenize(word)

    asked = tokenizer.tokenize(f"put it in the {word}, please")
    given = tokenizer.tokenize(f'{{"room": "{word}", "on": true}}')
    named = tokenizer.tokenize(f"light_{word}_on")

    for tokens in (asked, given, named):
        plain = [token.removeprefix("Ġ") for token in tokens]
        assert any(plain[place : place + len(alone)] == alone for place in range(len(plain))), plain


@pytest.mark.parametrize(
    "text", ["请预订望江厅会议室，12个人", '{"name": "汉堡", "n": -3.5}', "a = {}\n    b\t🙂 Señor"]
)
def test_text_comes_back_and_chinese_characters_and_digits_stand_alone(tokenizer, text):
    ids = tokenizer(text)["input_ids"]

    assert tokenizer.decode(ids) == text
    for token in ids:
        said = tokenizer.decode([token])
        assert len(said) == 1 or not any(
            "\u4e00" <= letter <= "\u9fff" or letter.isdigit() for letter in said
        ), said


def test_forms_of_a_word_have_one_root(tokenizer):
    from training.tokens import forms, siblings

    kin = forms(tokenizer)
    number = tokenizer.convert_tokens_to_ids
    root, spaced, capital = number("the"), number("Ġthe"), number("The")

    assert kin.root[[root, spaced, capital]].tolist() == [root] * 3
    assert kin.marks[[root, spaced, capital]].tolist() == [[0, 0], [1, 0], [0, 1]]
    assert kin.root[siblings(kin)].tolist() == kin.root.tolist()
    assert siblings(kin)[root] != root


def test_copying_is_there_before_training(net):
    import torch
    from training.model import causal, turns

    said = torch.randperm(290, generator=torch.Generator().manual_seed(1))[:30] + 10
    ids = torch.cat([said, said])[None]

    with torch.no_grad():
        found = net.scores(*net.hidden(ids, net.table(), *turns(60), causal(60)), net.table())[0].argmax(-1)

    assert (found[31:59] == ids[0, 32:]).float().mean() > 0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_matrices_are_trained_as_pytorch_trains_them_in_any_precision(monkeypatch, precision):
    import torch
    from training import precision as ours

    monkeypatch.setattr(ours, "COMPUTE", getattr(torch, precision))
    torch.manual_seed(3)
    starts = [torch.randn(shape) for shape in ((24, 16), (16, 24), (24, 16))]
    gradients = [[torch.randn_like(start) for start in starts] for _ in range(3)]
    results = []
    for kind, more in ((ours.Muon, {}), (torch.optim.Muon, {"adjust_lr_fn": "match_rms_adamw"})):
        matrices = [torch.nn.Parameter(start.clone()) for start in starts]
        optimizer = kind(matrices, lr=0.1, weight_decay=0.02, **more)
        for step in gradients:
            for matrix, gradient in zip(matrices, step, strict=True):
                matrix.grad = gradient.clone()
            optimizer.step()
        results.append([m.detach() - start for m, start in zip(matrices, starts, strict=True)])

    for one, other in zip(*results, strict=True):
        assert (one - other).norm() / other.norm() < 0.03  # PyTorch's are rounded to bfloat16
