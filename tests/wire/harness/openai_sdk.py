"""OpenAI's Python SDK as its users call it, one scenario per run; the counterpart of openai_sdk.cjs.

    build/venv/bin/python openai_sdk.py BASE-URL MODEL SCENARIO

Prints "held" if everything was as it should be, else fails with what was not.
"""

import json
import sys

import openai

base_url, model, scenario = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=0)
messages = [{"role": "user", "content": "show flights"}]
chat = client.chat.completions.create


def completes():
    text = client.completions.create(model=model, prompt="show", max_tokens=5, temperature=0, logprobs=2)
    assert text.object == "text_completion" and 1 <= text.usage.completion_tokens <= 5, text
    assert len(text.choices[0].logprobs.tokens) == text.usage.completion_tokens, text
    several = client.completions.create(model=model, prompt=["show", "find"], max_tokens=2, n=2, seed=1, echo=True)
    assert [choice.index for choice in several.choices] == [0, 1, 2, 3], several
    assert several.choices[3].text.startswith("find"), several
    answer = chat(model=model, messages=messages, max_tokens=5, logprobs=True, top_logprobs=2)
    assert answer.choices[0].message.role == "assistant"
    assert len(answer.choices[0].logprobs.content[0].top_logprobs) >= 2, answer
    again = [chat(model=model, messages=messages, max_tokens=9, seed=7).choices[0].message.content for _ in range(2)]
    assert again[0] == again[1], again
    assert model in [card.id for card in client.models.list()]


def streams():
    asked = dict(model=model, messages=messages, max_tokens=6, seed=2)
    whole = chat(**asked)
    chunks = list(chat(**asked, stream=True, stream_options={"include_usage": True}))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    assert chunks[-1].usage == whole.usage, (chunks[-1], whole)
    pieces = list(client.completions.create(model=model, prompt="show", max_tokens=4, stream=True, stop=["zzz"]))
    assert pieces[-1].choices[0].finish_reason in ("stop", "length"), pieces
    with client.chat.completions.with_streaming_response.create(**asked, stream=True) as raw:
        assert raw.headers["content-type"].startswith("text/event-stream")


def errors():
    def fails(kind, **fields):
        try:
            chat(**{**dict(model=model, messages=messages, max_tokens=2), **fields})
        except kind as error:
            return str(error)
        raise AssertionError(f"no {kind.__name__} for {fields}")

    assert "nobody" in fails(openai.NotFoundError, model="nobody")
    assert "temperature" in fails(openai.BadRequestError, temperature=-1)
    assert "maximum context length" in fails(openai.BadRequestError, max_tokens=1_000_000)
    assert "guided_grammar" in fails(openai.BadRequestError, extra_body={"guided_grammar": "root ::= x"})
    fails(openai.BadRequestError, messages=[])
    try:
        client.embeddings.create(model=model, input="x")
        raise AssertionError("no error for embeddings")
    except openai.BadRequestError as error:
        assert "does not support" in str(error), error


def as_json():
    schema = {"type": "object", "additionalProperties": False, "required": ["city", "days"],
              "properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}}
    answer = chat(model=model, messages=messages, max_tokens=100, response_format={
        "type": "json_schema", "json_schema": {"name": "trip", "strict": True, "schema": schema}})
    trip = json.loads(answer.choices[0].message.content)
    assert trip["city"] in ("Rome", "Oslo") and 1 <= trip["days"] <= 9, trip
    chosen = chat(model=model, messages=messages, max_tokens=9, extra_body={"structured_outputs": {"choice": ["yes", "no"]}})
    assert chosen.choices[0].message.content in ("yes", "no"), chosen


def tools():
    listed = [{"type": "function", "function": {"name": "weather", "parameters": {
        "type": "object", "required": ["city"], "properties": {"city": {"enum": ["Rome", "Oslo"]}}}}}]
    answer = chat(model=model, messages=messages, max_tokens=60, tools=listed,
                  tool_choice={"type": "function", "function": {"name": "weather"}})
    call = answer.choices[0].message.tool_calls[0]
    assert call.function.name == "weather" and json.loads(call.function.arguments)["city"] in ("Rome", "Oslo"), answer


def leaves():
    """Leaves in the middle of a long stream. Who runs this looks whether the engine noticed."""
    stream = chat(model=model, messages=messages, max_tokens=400, stream=True, extra_body={"ignore_eos": True})
    for seen, _ in enumerate(stream):
        if seen == 4:
            stream.close()
            break


{"completes": completes, "streams": streams, "errors": errors, "json": as_json, "tools": tools, "leaves": leaves}[scenario]()
print("held")
