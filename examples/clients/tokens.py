"""Turn a text into tokens, count them, and turn them back: ``python tokens.py [MODEL]``."""

import os
import sys

import httpx

key = os.environ.get("JAN_HOST_API_KEY")
client = httpx.Client(
    base_url=os.environ.get("JAN_HOST_URL", "http://127.0.0.1:1337"),
    headers={"Authorization": f"Bearer {key}"} if key else {},
    timeout=60,
)
model = sys.argv[1] if len(sys.argv) > 1 else client.get("/v1/models").json()["data"][0]["id"]


def ask(path: str, **body: object) -> dict[str, object]:
    """The answer of one of the routes; an error of the server is shown in its own words."""
    response = client.post(path, json={"model": model, **body})
    answer: dict[str, object] = response.json()
    if response.is_error:
        sys.exit(str(answer["error"]))
    return answer


text = "How many tokens does this text have?"
tokens = ask("/extras/tokenize", input=text)["tokens"]
count = ask("/extras/tokenize/count", input=text)["count"]
print(f"{count} tokens: {tokens}")
print(ask("/extras/detokenize", tokens=tokens)["text"])
