"""What the model is shown: instructions, the thread, this run's turns, cut to a budget."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assistants_api.agent.context import PromptBudgetSpent, fit, gather, refuse_images
from assistants_api.domain.assistant import Assistant
from assistants_api.domain.errors import ContextOverflow, EngineFailed
from assistants_api.domain.message import Message, MessageStatus, text_part
from assistants_api.domain.run import NewRun, Run
from assistants_api.domain.step import RunStep, StepStatus
from assistants_api.domain.thread import Thread
from assistants_api.domain.usage import Usage

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FUNCTION = {"type": "function", "function": {"name": "f"}}


def a_run(**new) -> Run:
    facts = new.pop("facts", {})
    assistant = Assistant("asst_a", NOW, "m", None, None, "Rules.", (FUNCTION,), {}, {}, 0.5, 0.9, "auto")
    run = Run.start(
        "run_a", Thread("thread_a", NOW, {}, {}), assistant, NewRun("asst_a", **new), "m", timedelta(1), NOW
    )
    return replace(run, **facts)


def said(*texts: str) -> list[Message]:
    return [
        Message(f"msg_{n}", NOW, "thread_a", "user" if n % 2 == 0 else "assistant", (text_part(text),))
        for n, text in enumerate(texts)
    ]


async def words(prompt) -> int:
    return sum(len(str(message.content).split()) for message in prompt.messages)


def test_instructions_override_and_append():
    assert a_run().instructions == "Rules."
    assert a_run(instructions="Other.").instructions == "Other."
    assert a_run(additional_instructions="More.").instructions == "Rules.\nMore."
    assert a_run(instructions="", additional_instructions="More.").instructions == "More."


def test_settings_are_inherited_unless_given():
    run = a_run(temperature=0.0, tools=())

    assert (run.temperature, run.top_p, run.tools) == (0.0, 0.9, ())


def test_the_prompt_is_instructions_then_the_thread_then_this_runs_turns():
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "42"}}
    own = Message("msg_own", NOW, "thread_a", "assistant", (text_part("Let me see."),), run_id="run_a")
    steps = [
        RunStep(
            "step_1",
            NOW,
            "run_a",
            "asst_a",
            "thread_a",
            "message_creation",
            {"type": "message_creation", "message_creation": {"message_id": "msg_own"}},
            StepStatus.COMPLETED,
        ),
        RunStep(
            "step_2",
            NOW,
            "run_a",
            "asst_a",
            "thread_a",
            "tool_calls",
            {"type": "tool_calls", "tool_calls": [call]},
            StepStatus.COMPLETED,
        ),
    ]

    context = gather(a_run(), "served", said("Hi", "Hello", "And?"), [own], steps, "")
    prompt = context.prompt(context.history)

    assert [(m.role, m.content) for m in prompt.messages] == [
        ("system", "Rules."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "And?"),
        ("assistant", "Let me see."),
        ("tool", "42"),
    ]
    assert [c.id for c in prompt.messages[4].tool_calls] == ["call_1"]
    assert prompt.messages[5].tool_call_id == "call_1"


def test_a_forced_choice_forces_the_first_call_only():
    forced = {"type": "function", "function": {"name": "f"}}
    step = RunStep(
        "step_2",
        NOW,
        "run_a",
        "asst_a",
        "thread_a",
        "tool_calls",
        {"type": "tool_calls", "tool_calls": [{"id": "call_a", "type": "function", "function": {}}]},
        StepStatus.FAILED,
    )
    empty = replace(step, step_details={"type": "tool_calls", "tool_calls": []})

    def choice(steps, **new):
        return gather(a_run(**new), "m", said("Hi"), [], steps, "").base.tool_choice

    assert choice([], tool_choice=forced) == forced
    assert choice([step], tool_choice=forced) == "auto"
    assert choice([step], tool_choice="none") == "none"
    # The call was never whole: a worker was lost while the model wrote it.
    assert choice([empty], tool_choice=forced) == forced


def test_the_completion_budget_is_over_the_whole_run():
    run = a_run(max_completion_tokens=1000, facts={"spent": Usage(200, 300)})

    assert gather(run, "m", said("Hi"), [], [], "").base.sampling.max_tokens == 700


def test_an_answer_that_was_cut_is_continued():
    open_message = Message(
        "msg_x", NOW, "thread_a", "assistant", (), MessageStatus.IN_PROGRESS, run_id="run_a"
    )

    context = gather(a_run(), "m", said("Hi"), [open_message], [], "Once upon")

    assert context.base.answer_start == "Once upon"
    assert context.turns == ()


def test_last_messages_keeps_the_newest():
    run = a_run(truncation_strategy={"type": "last_messages", "last_messages": 2})

    context = gather(run, "m", said("a", "b", "c", "d"), [], [], "")

    assert [each.content for past in context.history for each in past.messages] == ["c", "d"]


CALLED = RunStep(
    "step_c",
    NOW,
    "run_b",
    "asst_a",
    "thread_a",
    "tool_calls",
    {
        "type": "tool_calls",
        "tool_calls": [
            {"id": "call_s", "type": "file_search", "arguments": "{}", "file_search": {}, "output": "found"},
            {
                "id": "call_f",
                "type": "function",
                "function": {"name": "f", "arguments": "{}", "output": "42"},
            },
        ],
    },
    StepStatus.COMPLETED,
)
WROTE = replace(
    CALLED,
    id="step_w",
    type="message_creation",
    step_details={"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
)


def earlier(*steps: RunStep, **new) -> list:
    """The thread "a", "b", "c", "d", whose second message a run wrote with these steps, as the next run sees it."""
    first, answer, *rest = said("a", "b", "c", "d")
    thread = [first, replace(answer, run_id="run_b"), *rest]
    context = gather(a_run(instructions="", **new), "m", thread, [], [], "", earlier=steps)
    return [
        (m.role, m.content, *(c.id for c in m.tool_calls)) for m in context.prompt(context.history).messages
    ]


def test_searches_of_earlier_runs_are_left_to_the_next_one():
    assert earlier(CALLED, WROTE)[:4] == [
        ("user", "a"),
        ("assistant", "", "call_f"),
        ("tool", "42"),
        ("assistant", "b"),
    ]


def test_calls_of_earlier_runs_that_were_never_answered_are_left_out():
    assert len(earlier(replace(CALLED, status=StepStatus.CANCELLED), WROTE)) == 4
    assert len(earlier(CALLED)) == 4


def test_last_messages_counts_messages_and_not_their_calls():
    newest = {"type": "last_messages", "last_messages": 3}

    assert [role for role, *_ in earlier(CALLED, WROTE, truncation_strategy=newest)] == [
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
    ]


LONG = [f"{n} " + "word " * 99 for n in range(10)]


async def test_auto_leaves_out_the_middle_first_and_the_newest_never():
    context = gather(
        a_run(truncation_strategy={"type": "auto", "last_messages": None}), "m", said(*LONG), [], [], ""
    )

    fitted = await fit(context, words, window=100_000, prompt_budget=450)

    kept = [message.content.split()[0] for message in fitted.prompt.messages[1:]]
    assert kept == ["0", "7", "8", "9"]
    assert fitted.left_out == tuple(f"msg_{n}" for n in range(1, 7))
    assert await words(fitted.prompt) <= 450


async def test_when_nothing_else_is_left_the_first_goes_too():
    context = gather(a_run(), "m", said(*LONG), [], [], "")

    fitted = await fit(context, words, window=100_000, prompt_budget=150)

    assert [message.content.split()[0] for message in fitted.prompt.messages[1:]] == ["9"]


async def test_a_budget_that_the_rest_exceeds_is_spent():
    context = gather(a_run(), "m", said(*LONG), [], [], "")

    with pytest.raises(PromptBudgetSpent):
        await fit(context, words, window=100_000, prompt_budget=50)


async def test_what_can_never_fit_the_model_overflows():
    context = gather(a_run(), "m", said("word " * 5000), [], [], "")

    with pytest.raises(ContextOverflow, match="maximum context length is 1024 tokens"):
        await fit(context, words, window=1024, prompt_budget=None)


async def test_short_prompts_are_not_counted():
    async def never(prompt) -> int:
        raise AssertionError("counting costs a round trip to the engine")

    context = gather(a_run(), "m", said("Hi"), [], [], "")

    assert (await fit(context, never, window=8192, prompt_budget=None)).left_out == ()


FIELDS = {f"field_{n}": {"type": "string", "description": "what was said"} for n in range(30)}
CHINESE = {"type": "function", "function": {"name": "f", "description": "天" * 3000}}


@pytest.mark.parametrize(
    ("new", "tokens"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": FIELDS}}}, 2000),
        ({"tools": (CHINESE,)}, 9000),
    ],
)
async def test_what_a_model_is_told_beside_the_messages_is_in_the_budget(new, tokens):
    async def count(prompt) -> int:
        return tokens

    context = gather(a_run(**new), "m", said("Hi"), [], [], "")

    with pytest.raises(PromptBudgetSpent):
        await fit(context, count, window=32768, prompt_budget=tokens - 1)


def test_images_are_refused_by_name_for_a_model_without_eyes():
    image = Message("msg_i", NOW, "thread_a", "user", ({"type": "image_url", "image_url": {"url": "x"}},))

    with pytest.raises(EngineFailed, match="msg_i") as refused:
        refuse_images(gather(a_run(), "m", [image], [], [], ""), "m")

    assert refused.value.code == "invalid_prompt"


PICTURE = {"type": "image_url", "image_url": {"url": "x", "detail": "auto"}}


def pictured(**given) -> Message:
    content = given.pop("content", (text_part("Look: "), PICTURE, text_part("there.")))
    return Message("msg_i", NOW, "thread_a", "assistant", content, **given)


def shown(message: Message) -> list:
    context = gather(a_run(instructions=""), "m", [message, *said("And?")], [], [], "")
    return [(m.role, m.content) for m in context.prompt(context.history).messages]


def test_images_that_a_caller_put_into_the_assistants_mouth_are_shown_by_the_user():
    assert shown(pictured()) == [("assistant", "Look: there."), ("user", (PICTURE,)), ("user", "And?")]
    assert shown(pictured(content=(PICTURE, PICTURE))) == [("user", (PICTURE, PICTURE)), ("user", "And?")]


def test_figures_of_code_are_known_by_the_text_of_their_answer():
    message = pictured(run_id="run_b")

    assert shown(message) == [("assistant", "Look: there."), ("user", "And?")]
    refuse_images(gather(a_run(), "m", [message], [], [], ""), "m")


def test_images_of_assistant_messages_are_refused_too():
    with pytest.raises(EngineFailed, match="msg_i"):
        refuse_images(gather(a_run(), "m", [pictured()], [], [], ""), "m")


async def test_a_message_with_images_is_left_out_with_them():
    first, last = said(LONG[0])[0], said(*LONG[:5])[4]
    context = gather(a_run(instructions=""), "m", [first, pictured(), last], [], [], "")

    fitted = await fit(context, words, window=100_000, prompt_budget=205)

    assert fitted.left_out == ("msg_i",)
    assert [m.role for m in fitted.prompt.messages] == ["user", "user"]
