"""Ask a model something with the openai package: ``python chat.py [MODEL]``."""

import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("JAN_HOST_URL", "http://127.0.0.1:1337") + "/v1",
    api_key=os.environ.get("JAN_HOST_API_KEY", "none"),
)
model = sys.argv[1] if len(sys.argv) > 1 else client.models.list().data[0].id
answer = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "The capital of France is"}],
    temperature=0,
    max_tokens=16,
)
print(answer.choices[0].message.content)
