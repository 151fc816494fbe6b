"""A shop: recommendations through functions over a small catalogue, answered inside the event stream.

Shows function tools with an `AssistantEventHandler`: when the run asks for calls, they are answered with
`submit_tool_outputs_stream`, and the same handler goes on with the next leg. Needs a server and `pip install openai`;
the bundled model calls the functions and tells what it can of the result, a larger one makes a recommendation of it.
"""

import json
import os
import sys

from openai import AssistantEventHandler, OpenAI

CATALOGUE = [
    {"sku": "T-100", "name": "Ridge tent, two persons", "category": "tents", "price": 189, "stock": 7},
    {"sku": "T-220", "name": "Dome tent, four persons", "category": "tents", "price": 329, "stock": 0},
    {"sku": "S-010", "name": "Summer sleeping bag", "category": "sleeping bags", "price": 59, "stock": 31},
    {"sku": "S-040", "name": "Down sleeping bag to -10 degrees", "category": "sleeping bags", "price": 219, "stock": 4},
    {"sku": "C-001", "name": "Gas cooker, one flame", "category": "cookers", "price": 45, "stock": 12},
]
CATEGORIES = sorted({product["category"] for product in CATALOGUE})


def search_products(category: str = "", max_price: float | None = None) -> list[dict]:
    """What is in the catalogue, cheapest first."""
    fitting = [
        product
        for product in CATALOGUE
        if category in ("", product["category"]) and (max_price is None or product["price"] <= max_price)
    ]
    return sorted(fitting, key=lambda product: product["price"])


def check_stock(sku: str) -> dict:
    """How many pieces there are."""
    return {"sku": sku, "stock": next((each["stock"] for each in CATALOGUE if each["sku"] == sku), 0)}


FUNCTIONS = {"search_products": search_products, "check_stock": check_stock}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "search_products",
            "description": "Search the shop's catalogue by category and highest price",
            "parameters": {
                "type": "object",
                "properties": {
                    "category": {"type": "string", "enum": CATEGORIES},
                    "max_price": {"type": "number", "description": "In euros"},
                },
                "required": ["category"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "check_stock",
            "description": "Check how many pieces of a product are in stock",
            "parameters": {
                "type": "object",
                "properties": {"sku": {"type": "string", "description": "The product's number, e.g. T-100"}},
                "required": ["sku"],
            },
        },
    },
]
client = OpenAI(base_url=os.environ.get("BASE_URL", "http://127.0.0.1:8000/v1"), api_key="any")


def call(name: str, arguments: str) -> str:
    """One of our functions, called as the model asks; what goes wrong is told to the model."""
    try:
        return json.dumps(FUNCTIONS[name](**json.loads(arguments)))
    except (KeyError, TypeError, ValueError) as error:
        return json.dumps({"error": str(error)})


class Clerk(AssistantEventHandler):
    """Prints the answer as it comes, and answers the calls."""

    def on_text_delta(self, delta, snapshot) -> None:
        print(delta.value, end="", flush=True)

    def on_event(self, event) -> None:
        if event.event != "thread.run.requires_action":
            return
        outputs = []
        for asked in event.data.required_action.submit_tool_outputs.tool_calls:
            output = call(asked.function.name, asked.function.arguments)
            print(f"[{asked.function.name} {asked.function.arguments} -> {output}]")
            outputs.append({"tool_call_id": asked.id, "output": output})
        with client.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=event.data.thread_id, run_id=event.data.id, tool_outputs=outputs, event_handler=Clerk()
        ) as stream:
            stream.until_done()


assistant = client.beta.assistants.create(
    model="gpt-4o",
    name="Shop",
    instructions="You recommend products of an outdoor shop. Search the catalogue before you recommend anything,"
    " name the price, and never name a product that the search did not find.",
    tools=TOOLS,
    temperature=0,
)
question = " ".join(sys.argv[1:]) or "I need a tent for two people for less than 200 euros. What do you recommend?"
thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
with client.beta.threads.runs.stream(
    thread_id=thread.id,
    assistant_id=assistant.id,
    event_handler=Clerk(),
    parallel_tool_calls=False,
    tool_choice={"type": "function", "function": {"name": "search_products"}},  # no recommendation without a search
) as stream:
    stream.until_done()
print()
