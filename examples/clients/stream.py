"""Show an answer while it is generated, with the openai package: ``python stream.py [MODEL]``."""

import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("JAN_HOST_URL", "http://127.0.0.1:1337") + "/v1",
    api_key=os.environ.get("JAN_HOST_API_KEY", "none"),
)
model = sys.argv[1] if len(sys.argv) > 1 else client.models.list().data[0].id
stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "Once upon a time"}],
    max_tokens=32,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n({chunk.usage.completion_tokens} tokens)")
